// Where everything else is: the paths of this node, its other listeners, the flags that are set, the documents.
import type { HomeEndpoint, HomeStatus } from './home-status.ts';

const LISTENERS: Readonly<Record<string, string>> = {
  http: 'this page, queries, OTLP over HTTP, operation',
  otlpHttp: 'OTLP over HTTP alone',
  otlpGrpc: 'OTLP over gRPC',
  grpc: "Jaeger's gRPC APIs: remote storage, queries; OTLP beside them",
};

export function Endpoints({ status }: { status: HomeStatus }) {
  const groups = [...Map.groupBy(status.endpoints, ({ group }) => group)];
  const listeners = Object.entries(status.addresses);
  return (
    <section aria-labelledby="endpoints">
      <h2 id="endpoints">Endpoints</h2>
      {status.hasJaegerUi && (
        <p>
          <a href="search">Jaeger UI</a> is served at the root.
        </p>
      )}
      <div class="columns">
        {groups.map(([group, endpoints]) => (
          <div key={group}>
            <h3>{group}</h3>
            <ul class="paths">
              {endpoints.map((endpoint) => (
                <EndpointItem key={`${endpoint.method} ${endpoint.path}`} endpoint={endpoint} />
              ))}
            </ul>
          </div>
        ))}
        {listeners.length > 0 && (
          <div>
            <h3>Listeners</h3>
            <ul class="paths">
              {listeners.map(([name, address]) => (
                <li key={name}>
                  <code>{address}</code> <span class="quiet">{LISTENERS[name] ?? name}</span>
                </li>
              ))}
            </ul>
          </div>
        )}
        <Flags flags={status.flags} />
      </div>
      <p class="quiet">
        Jaeger's API is also below <code>select/jaeger/</code>, the URL of Grafana's Jaeger data source. More is in{' '}
        <code>README.md</code> and <code>docs/</code>: CONFIG.md (flags), SEARCH.md (queries), ERRORS.md, operations/.
      </p>
    </section>
  );
}

function EndpointItem({ endpoint: { method, path, meaning, isLink } }: { endpoint: HomeEndpoint }) {
  return (
    <li>
      {method !== 'GET' && <span class="method">{method} </span>}
      {isLink ? <a href={path}>/{path}</a> : <code>/{path}</code>} <span class="quiet">{meaning}</span>
    </li>
  );
}

function Flags({ flags }: { flags: HomeStatus['flags'] }) {
  if (flags === undefined || flags.length === 0) return null;
  return (
    <div>
      <h3>Flags that are set</h3>
      <ul class="paths">
        {flags.map(({ name, value }) => (
          <li key={name}>
            <code>
              -{name}={value}
            </code>
          </li>
        ))}
      </ul>
    </div>
  );
}
