// The attribute keys of the chaotic profile: OpenTelemetry's semantic conventions as applications use them, and some of an application's
// own. Each key says what kind of value it takes; chaotic-values.ts draws it.

/** `caller.*`: drawn once a trace, as baggage is; all others are drawn for every attribute. */
export type ValueKind =
  | 'bool'
  | 'bytes'
  | 'caller.agent'
  | 'caller.ip'
  | 'caller.order'
  | 'caller.request'
  | 'caller.session'
  | 'caller.tenant'
  | 'caller.user'
  | 'city'
  | 'count'
  | 'currency'
  | 'decimal'
  | 'email'
  | 'encoding'
  | 'engine'
  | 'errorType'
  | 'exchange'
  | 'file'
  | 'functionName'
  | 'hash'
  | 'hex16'
  | 'host'
  | 'int64'
  | 'ip'
  | 'method'
  | 'millis'
  | 'money'
  | 'objectKey'
  | 'offset'
  | 'path'
  | 'port'
  | 'ratio'
  | 'region'
  | 'seconds'
  | 'sql'
  | 'status'
  | 'table'
  | 'timestamp'
  | 'topic'
  | 'url'
  | 'uuid'
  | 'version';

export type Vocabulary = Readonly<Record<string, ValueKind>>;

const http: Vocabulary = {
  'http.request.method': 'method',
  'http.response.status_code': 'status',
  'http.route': 'path',
  'http.request.body.size': 'bytes',
  'http.response.body.size': 'bytes',
  'http.request.size': 'bytes',
  'http.response.size': 'bytes',
  'http.request.resend_count': 'count',
  'http.request.header.x_request_id': 'caller.request',
  'http.request.header.x_forwarded_for': 'caller.ip',
  'http.request.header.if_none_match': 'hash',
  'http.response.header.etag': 'hash',
  'http.response.header.content_encoding': 'encoding',
  'http.connection.state': 'exchange',
  'url.full': 'url',
  'url.path': 'path',
  'url.query': 'decimal',
  'user_agent.original': 'caller.agent',
  'client.address': 'caller.ip',
  'client.port': 'port',
  'error.type': 'errorType',
};

const database: Vocabulary = {
  'db.system.name': 'engine',
  'db.collection.name': 'table',
  'db.namespace': 'table',
  'db.operation.name': 'method',
  'db.operation.batch.size': 'count',
  'db.query.text': 'sql',
  'db.query.summary': 'table',
  'db.query.parameter.id': 'decimal',
  'db.response.returned_rows': 'count',
  'db.response.status_code': 'status',
  'db.stored_procedure.name': 'functionName',
  'db.client.connection.pool.name': 'host',
  'db.client.connection.wait_ms': 'millis',
  'db.mongodb.cursor_id': 'int64',
  'db.redis.key': 'objectKey',
  'db.redis.database_index': 'count',
  'db.cassandra.page_size': 'bytes',
  'db.cassandra.coordinator.id': 'uuid',
  'db.elasticsearch.node.name': 'host',
  'db.transaction.id': 'int64',
  'db.statement.hash': 'hex16',
};

const messaging: Vocabulary = {
  'messaging.system': 'engine',
  'messaging.destination.name': 'topic',
  'messaging.destination.partition.id': 'count',
  'messaging.destination.temporary': 'bool',
  'messaging.operation.type': 'exchange',
  'messaging.message.id': 'uuid',
  'messaging.message.conversation_id': 'caller.request',
  'messaging.message.body.size': 'bytes',
  'messaging.message.envelope.size': 'bytes',
  'messaging.batch.message_count': 'count',
  'messaging.client.id': 'host',
  'messaging.consumer.group.name': 'topic',
  'messaging.kafka.offset': 'offset',
  'messaging.kafka.message.key': 'caller.order',
  'messaging.kafka.message.tombstone': 'bool',
  'messaging.rabbitmq.message.delivery_tag': 'offset',
  'messaging.rabbitmq.destination.routing_key': 'topic',
  'messaging.gcp_pubsub.message.ack_id': 'hash',
  'messaging.servicebus.message.enqueued_time': 'timestamp',
  'messaging.redelivered': 'bool',
};

const rpc: Vocabulary = {
  'rpc.system': 'engine',
  'rpc.service': 'functionName',
  'rpc.method': 'functionName',
  'rpc.grpc.status_code': 'status',
  'rpc.message.id': 'count',
  'rpc.message.compressed_size': 'bytes',
  'rpc.message.uncompressed_size': 'bytes',
  'rpc.request.metadata.x_request_id': 'caller.request',
  'rpc.jsonrpc.request_id': 'decimal',
  'rpc.deadline_ms': 'millis',
  'rpc.attempt': 'count',
  'server.address': 'host',
  'server.port': 'port',
  'network.peer.address': 'ip',
  'network.peer.port': 'port',
  'network.local.address': 'ip',
  'network.local.port': 'port',
  'network.protocol.name': 'encoding',
  'network.protocol.version': 'version',
  'network.transport': 'exchange',
};

const cloud: Vocabulary = {
  'aws.request_id': 'uuid',
  'aws.s3.bucket': 'table',
  'aws.s3.key': 'objectKey',
  'aws.s3.upload_id': 'hash',
  'aws.s3.part_number': 'count',
  'aws.dynamodb.table_names': 'table',
  'aws.dynamodb.consumed_capacity': 'ratio',
  'aws.dynamodb.scanned_count': 'count',
  'aws.lambda.invoked_arn': 'functionName',
  'aws.sqs.queue.url': 'url',
  'aws.sns.topic.arn': 'topic',
  'aws.kinesis.sequence': 'int64',
  'cloud.region': 'region',
  'cloud.resource_id': 'hex16',
  'faas.invocation_id': 'uuid',
  'faas.coldstart': 'bool',
  'faas.trigger': 'exchange',
  'faas.document.time': 'timestamp',
  'faas.document.name': 'objectKey',
  'faas.max_memory': 'bytes',
};

const application: Vocabulary = {
  'app.user.id': 'caller.user',
  'app.session.id': 'caller.session',
  'app.tenant.id': 'caller.tenant',
  'app.order.id': 'caller.order',
  'app.request.id': 'caller.request',
  'app.cart.items': 'count',
  'app.cart.total': 'money',
  'app.payment.amount': 'money',
  'app.payment.currency': 'currency',
  'app.payment.transaction.id': 'uuid',
  'app.payment.card.last4': 'count',
  'app.payment.provider': 'engine',
  'app.shipping.tracking.id': 'uuid',
  'app.shipping.city': 'city',
  'app.shipping.cost': 'money',
  'app.product.id': 'decimal',
  'app.product.sku': 'hex16',
  'app.product.quantity': 'count',
  'app.product.price': 'money',
  'app.customer.email': 'email',
  'app.customer.loyalty': 'bool',
  'app.customer.country': 'region',
  'app.invoice.number': 'decimal',
  'app.invoice.due': 'timestamp',
  'app.ad.campaign': 'decimal',
  'app.ad.score': 'ratio',
  'app.search.results': 'count',
  'app.search.took_ms': 'millis',
  'app.recommendation.model': 'version',
  'app.recommendation.score': 'ratio',
  'app.feature.experiment': 'topic',
  'app.job.id': 'uuid',
  'app.job.attempt': 'count',
  'app.job.scheduled_at': 'timestamp',
  'app.workflow.run': 'int64',
  'app.document.checksum': 'hash',
  'app.document.size': 'bytes',
  'app.upload.object': 'objectKey',
};

const runtime: Vocabulary = {
  'code.function.name': 'functionName',
  'code.file.path': 'file',
  'code.line.number': 'count',
  'code.column.number': 'count',
  'thread.id': 'count',
  'thread.name': 'host',
  'enduser.id': 'caller.user',
  'enduser.pseudo.id': 'hex16',
  'session.id': 'caller.session',
  'session.previous_id': 'uuid',
  'peer.service': 'topic',
  'feature_flag.key': 'topic',
  'feature_flag.result.variant': 'city',
  'feature_flag.context.id': 'caller.user',
  'cache.hit': 'bool',
  'cache.key': 'objectKey',
  'cache.ttl_seconds': 'seconds',
  'cache.size': 'bytes',
  'lock.wait_ms': 'millis',
  'queue.depth': 'count',
  'queue.wait_ms': 'millis',
  'retry.count': 'count',
  'rate_limit.remaining': 'count',
  'rate_limit.reset': 'seconds',
  'tls.cipher': 'encoding',
  'tls.client.hash.sha256': 'hash',
  'tls.resumed': 'bool',
  'dns.question.name': 'host',
  'file.path': 'file',
  'file.size': 'bytes',
  'process.pid': 'count',
  'gc.pause_ms': 'millis',
  'cpu.time_seconds': 'seconds',
  'memory.allocated': 'bytes',
  'geo.locality.name': 'city',
  'geo.country.iso_code': 'region',
  'geo.location.lat': 'ratio',
  'geo.location.lon': 'ratio',
  'deployment.build.id': 'hex16',
  'event.sequence': 'offset',
};

/** What a span of one kind of work says about itself. */
export const domains: readonly Vocabulary[] = [http, database, messaging, rpc, cloud];
/** What any span may carry besides. */
export const anywhere: Vocabulary = { ...application, ...runtime };
