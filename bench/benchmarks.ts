/** All benchmarks, in the order in which they run. */
import { closedLoopLatency, idleLatency, openLoopLatency, throughput as batchThroughput } from "./batch.ts"
import type { Benchmark } from "./benchmark.ts"
import { composeCpu } from "./compose-cpu.ts"
import { fanout512, io, io64 } from "./ensemble.ts"
import { grpc600k, grpcSmall } from "./hop-grpc.ts"
import { http600k, httpSmall } from "./hop-http.ts"
import { hopSocket } from "./hop-socket.ts"
import { thread4m, threadSmall } from "./hop-thread.ts"
import { localCall, localCallUntraced } from "./model-local-call.ts"
import { latency } from "./ocr-latency.ts"
import { throughput } from "./ocr-throughput.ts"
import { oipBinary602k } from "./oip.ts"
import { call } from "./onnx-call.ts"
import { loopDelay } from "./onnx-loop-delay.ts"
import { overlap } from "./onnx-overlap.ts"
import { restJson, restOverload, restRps } from "./rest.ts"
import { serveMemory, serveStartup } from "./serve.ts"
import { limitCost, overload } from "./traffic.ts"

export const benchmarks: ReadonlyArray<Benchmark> = [
  overlap,
  loopDelay,
  call,
  localCall,
  localCallUntraced,
  ...hopSocket,
  httpSmall,
  http600k,
  threadSmall,
  thread4m,
  grpcSmall,
  grpc600k,
  composeCpu,
  io,
  io64,
  fanout512,
  batchThroughput,
  closedLoopLatency,
  openLoopLatency,
  idleLatency,
  limitCost,
  overload,
  oipBinary602k,
  restJson,
  restRps,
  restOverload,
  serveStartup,
  serveMemory,
  latency,
  throughput
]
