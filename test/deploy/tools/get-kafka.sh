#!/usr/bin/env bash
# Brings the jars of an Apache Kafka broker from Maven, for the tests of the ingest log on Kafka (`npm run test:kafka`): 45 MB, half a minute. Java
# 17 or newer runs them. Then: export TRACELITH_KAFKA_JARS=FOLDER/kafka
#   test/deploy/tools/get-kafka.sh FOLDER
set -euo pipefail
KAFKA=4.3.1
mkdir -p "${1:?the folder to put it into}/kafka"
cd "$1/kafka"
[ ! -e "kafka_2.13-$KAFKA.jar" ] || exit 0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tracelith</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA</version></dependency>
    <!-- Without it, what a broker complains of is written nowhere. -->
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
  </dependencies>
</project>
POM
mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$work/jars" -DincludeScope=runtime
rm -f ./*.jar
mv "$work"/jars/*.jar .
