// Docker's health check: exit code 0 while the node is ready. HEALTH_URL is for a node with another port, prefix or TLS.
const response = await fetch(process.env.HEALTH_URL ?? 'http://127.0.0.1:10428/health');
if (!response.ok) throw new Error(`/health: ${response.status} ${await response.text()}`);
