// The name and password that a URL may have before its host: clients of HTTP take them as a header, and nobody is shown them.

/** `https://name:password@host/path` as the URL without them and the header that has them, which is empty if there are none. */
export function splitLogin(url: string): { readonly url: string; readonly headers: Readonly<Record<string, string>> } {
  const parsed = new URL(url);
  const { username, password } = parsed;
  if (username === '' && password === '') return { url, headers: {} };
  parsed.username = parsed.password = '';
  const login = Buffer.from(`${decoded(username)}:${decoded(password)}`).toString('base64');
  return { url: parsed.href, headers: { authorization: `Basic ${login}` } };
}

/** As it is, where a `%` begins no bytes of UTF-8: whoever wrote it meant that character. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

/** `text` without what stands between `//` and `@` in it. */
export function hideLogins(text: string): string {
  return text.replace(/\/\/[^"\s]*@/g, '//secret@');
}
