/** All benchmarks, in the order in which they run. */
import type { Benchmark } from "./benchmark.ts"
import { composeCpu } from "./compose-cpu.ts"
import { grpc600k, grpcSmall } from "./hop-grpc.ts"
import { hopSocket } from "./hop-socket.ts"
import { localCall, localCallUntraced } from "./model-local-call.ts"
import { latency } from "./ocr-latency.ts"
import { throughput } from "./ocr-throughput.ts"
import { call } from "./onnx-call.ts"
import { loopDelay } from "./onnx-loop-delay.ts"
import { overlap } from "./onnx-overlap.ts"
import { httpCall, httpTensor } from "./remote-http.ts"

export const benchmarks: ReadonlyArray<Benchmark> = [
  overlap,
  loopDelay,
  call,
  localCall,
  localCallUntraced,
  ...hopSocket,
  grpcSmall,
  grpc600k,
  composeCpu,
  httpCall,
  httpTensor,
  latency,
  throughput
]
