/**
 * Keeps the process from ending in the middle of native code.
 *
 * Node tears its threads down when the process exits, and ONNX Runtime aborts the process when that happens to a thread
 * that is loading or running a model. So each thread has two flags in shared memory: it raises `busy` around native
 * code, and the exit of the process raises `stop` and waits until no thread is busy. A thread raises `busy` first and
 * looks at `stop` second; in the other order the process could end between the two.
 */
export type Flags = Int32Array<SharedArrayBuffer>

const busy = 0
const stop = 1

/** How long the exit of the process may be held up by a model that runs. After that the process aborts. */
const limitMillis = 30_000

// One listener serves all threads that this one started; it belongs to the process, not to any scope.
const guarded = new Set<Flags>()

export const makeFlags = (): Flags => new Int32Array(new SharedArrayBuffer(8))

/** Guards a thread from now on; returns how to stop guarding it, for when it has exited. */
export const guard = (flags: Flags): () => void => {
  if (guarded.size === 0) process.on("exit", waitForAll)
  guarded.add(flags)
  return () => {
    if (guarded.delete(flags) && guarded.size === 0) process.off("exit", waitForAll)
  }
}

const waitForAll = (): void => {
  for (const flags of guarded) Atomics.store(flags, stop, 1)
  const end = performance.now() + limitMillis
  for (const flags of guarded) {
    while (Atomics.load(flags, busy) === 1 && performance.now() < end) {
      Atomics.wait(flags, busy, 1, end - performance.now())
    }
  }
}

/** Runs native code in a worker thread. Never settles once the process is about to exit. */
export const native = async <A>(flags: Flags, code: () => Promise<A>): Promise<A> => {
  Atomics.store(flags, busy, 1)
  if (Atomics.load(flags, stop) === 1) {
    leave(flags)
    return new Promise<never>(() => {})
  }
  try {
    return await code()
  } finally {
    leave(flags)
  }
}

const leave = (flags: Flags): void => {
  Atomics.store(flags, busy, 0)
  Atomics.notify(flags, busy)
}
