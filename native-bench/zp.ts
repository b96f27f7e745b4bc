import { TermSet } from '/work/wt/engwrite/src/block/terms.ts';
import { trafficStream } from '/work/wt/engwrite/native-bench/harness/traffic.ts';
import { SpanBatch } from '/work/wt/engwrite/src/trace/span-batch.ts';
import { scanRequest } from '/work/wt/engwrite/src/otlp/scan-request.ts';
import { regroupByTrace } from '/work/wt/engwrite/src/block/regroup.ts';
import { encodeBlock } from '/work/wt/engwrite/src/block/encode-block.ts';
import { cutBlocks } from '/work/wt/engwrite/src/part/cut-blocks.ts';
import { BlockReader } from '/work/wt/engwrite/src/block/block-reader.ts';
const frames=process.argv[2];
const w=new SpanBatch(); let n=0;
for (const f of trafficStream({profile:'shop',frames:frames||undefined,seed:1,batch:1000,overSeconds:30} as any,98304)) { scanRequest(w,f.body,{startMinNs:0n,startMaxNs:2n**64n-1n}); n+=f.spans; }
const day=w.day[0]!; const {rows,traceEnds}=regroupByTrace(w);
for (let round=0;round<10;round++)
for (const [level,kb] of [[5,4]] as const) {

  const t0=process.threadCpuUsage(); const p0=process.cpuUsage(); let bytes=0,fr=0,raw=0,start=0;
  for (const end of cutBlocks(traceEnds,16384)) { const b=encodeBlock(w,rows.subarray(start,end),{tenant:'0:0' as any,day,profile:'merged',terms:new TermSet()}); bytes+=b.length; const r=new BlockReader(b); for (const f of (r as any).columns) raw+=f.size; fr+=r.entryCount-r.columns.length; start=end; }
  const t=process.threadCpuUsage(t0),p=process.cpuUsage(p0);
  if (round) console.log(`level ${level} ${kb} KiB: ${(bytes/rows.length).toFixed(2)} B/row, ${((t.user+t.system)*1000/rows.length).toFixed(0)} ns/row, process ${((p.user+p.system)*1000/rows.length).toFixed(0)} ns/row, frames ${fr}, raw ${(raw/rows.length).toFixed(0)} B/row`);
}
