// The least a server can do: read the body, drop it, answer 200 with nothing. A child process, so that its CPU is counted alone.
//   node floor-server.ts PORT
import { createServer } from 'node:http';
import v8 from 'node:v8';

// Young buffers must not start major collections (nodejs/node 61967); without it the floor is not the floor.
v8.setFlagsFromString('--external-memory-accounted-in-global-limit');

const server = createServer((request, reply) => {
  request.on('data', () => {});
  request.on('end', () => reply.writeHead(200, { 'content-length': 0 }).end());
});
server.listen(Number(process.argv[2]), '127.0.0.1');
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});
