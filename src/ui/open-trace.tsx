// The way to traces from every page: a search, and a field for a trace id as logs and error messages name it.
import { useState } from 'preact/hooks';
import { isTraceId, tracesOf } from './place.ts';
import { goTo, hrefOf } from './use-place.ts';

export function OpenTrace({ tenant }: { readonly tenant: string }) {
  const [text, setText] = useState('');
  const traceId = text.trim();
  const open = (event: Event): void => {
    event.preventDefault();
    if (isTraceId(traceId)) goTo({ view: 'trace', tenant, traceId });
  };
  return (
    <form class="open-trace" role="search" onSubmit={open}>
      <a href={hrefOf(tracesOf('', tenant))}>Search traces</a>
      <label>
        <span>Trace id</span>
        <input
          type="search"
          value={text}
          required
          pattern="\s*[0-9a-fA-F]{1,32}\s*"
          title="up to 32 hex digits"
          onInput={({ currentTarget }) => setText(currentTarget.value)}
        />
      </label>
      <button type="submit">Open</button>
    </form>
  );
}
