<resource schema="pztsm" resdir="pztsm">
  <meta name="title">Made-up redshift surveys</meta>
  <meta name="creationDate">2026-11-20T00:00:00Z</meta>
  <meta name="description">Rows that infra/testing/dachs/rows.py makes for the tests.</meta>
  <meta name="creator">pz-tsm</meta>
  <meta name="subject">redshift-surveys</meta>

  <STREAM id="columns">
    <column name="id" type="bigint" required="True" ucd="meta.id;meta.main"
      description="Beyond what a float holds"/>
    <column name="quoted/RAJ2000" type="double precision" unit="deg" ucd="pos.eq.ra;meta.main"/>
    <column name="quoted/DEJ2000" type="double precision" unit="deg" ucd="pos.eq.dec;meta.main"/>
    <column name="z" type="real" ucd="src.redshift" description="-9.9: none; NaN: failed"/>
    <column name="e_z" type="double precision" ucd="stat.error;src.redshift"/>
    <column name="q" type="smallint" ucd="meta.code.qual"><values nullLiteral="-99"/></column>
    <column name="flag" type="text"/>
    <column name="quoted/Name" type="unicode" ucd="meta.id"/>
    <column name="is_primary" type="boolean"/>
  </STREAM>

  <table id="redshifts" onDisk="True" adql="True" primary="id">
    <FEED source="columns"/>
  </table>

  <!-- The same rows many times over, for bench/fetch.py; else empty. -->
  <table id="many" onDisk="True" adql="True" primary="id">
    <index name="dec" columns="DEJ2000">"DEJ2000"</index>
    <FEED source="columns"/>
  </table>

  <table id="classes" onDisk="True" adql="True" primary="id">
    <column name="id" type="bigint" required="True" ucd="meta.id;meta.main"/>
    <column name="class" type="text" ucd="src.class"/>
  </table>

  <!-- The rows come by COPY, which is fast. -->
  <data id="create">
    <nullGrammar/>
    <make table="redshifts"/>
    <make table="many"/>
    <make table="classes"/>
  </data>
</resource>
