// The name and password that a URL may have before its host: clients of HTTP take them as a header, and nobody is shown them.

/** `https://name:password@host/path` as the URL without them and the header that has them, which is empty if there are none. */
export function splitLogin(url: string): { readonly url: string; readonly headers: Readonly<Record<string, string>> } {
  const parsed = new URL(url);
  const { username, password } = parsed;
  if (username === '' && password === '') return { url, headers: {} };
  parsed.username = parsed.password = '';
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64');
  return { url: parsed.href, headers: { authorization: `Basic ${login}` } };
}

/** `text` without what stands between `//` and `@` in it. */
export function hideLogins(text: string): string {
  return text.replace(/\/\/[^"\s]*@/g, '//secret@');
}
