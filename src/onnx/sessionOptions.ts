/**
 * What ONNX Runtime is told for one replica.
 */
export interface Share {
  readonly threads: number
  readonly gpus: ReadonlyArray<number>
  readonly executionProviders?: ReadonlyArray<string | { readonly name: string }> | undefined
}

export const sessionOptions = ({ executionProviders, gpus: [deviceId], threads }: Share) => ({
  intraOpNumThreads: threads,
  interOpNumThreads: 1,
  executionMode: "sequential",
  executionProviders: executionProviders ?? (deviceId === undefined ? ["cpu"] : [{ name: "cuda", deviceId }, "cpu"]),
  // Threads that spin between calls take the processor from every other model; the value must be a string.
  ...(threads > 1 ? { extra: { session: { intra_op: { allow_spinning: "0" } } } } : {})
})
