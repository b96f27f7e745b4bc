// What a test shows of two long texts that should be equal.
/** Where two texts part, with what is around it. */
export function showDifference(what: string, cluster: string, node: string): string {
  let at = 0;
  while (at < cluster.length && cluster[at] === node[at]) at++;
  const around = (text: string): string => JSON.stringify(text.slice(Math.max(0, at - 80), at + 200));
  return `${what}: from character ${at} on the cluster says ${around(cluster)}, the node says ${around(node)}`;
}
