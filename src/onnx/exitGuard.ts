/**
 * Keeps the process from ending in the middle of native code.
 *
 * Node tears its threads down when the process exits, and ONNX Runtime aborts the process when that happens to a thread
 * that is loading or running a model. So each thread has two flags in shared memory: it raises `busy` around native
 * code, and the exit of the process raises `stop` and waits until no thread is busy. A thread raises `busy` first and
 * looks at `stop` second; in the other order the process could end between the two.
 *
 * The flags of all threads lie in one memory, which threads inherit: the main thread also waits for the replicas of a
 * session that was opened in a worker thread, if it called `install` before it started that worker thread.
 */
import { getEnvironmentData, isMainThread, setEnvironmentData } from "node:worker_threads"

export type Flags = Int32Array<SharedArrayBuffer>

const busy = 0
const stop = 1
const taken = 2

/** How long the exit of the process may be held up by a model that runs. After that the process aborts. */
const limitMillis = 30_000

const capacity = 4096
const key = "chorale/onnx/exitGuard"

const slot = (memory: SharedArrayBuffer, index: number): Flags => new Int32Array(memory, index * 12, 3)

// The memory, the flags of this thread's replicas, and the listener belong to the process and not to any scope.
let memory: SharedArrayBuffer | undefined
const own = new Set<Flags>()

/** Makes the exit of this thread wait for replicas; called before the first one, and before a thread that will have some. */
export const install = (): SharedArrayBuffer => {
  if (memory !== undefined) return memory
  const inherited = getEnvironmentData(key)
  memory = inherited instanceof SharedArrayBuffer ? inherited : new SharedArrayBuffer(capacity * 12)
  setEnvironmentData(key, memory)
  process.on("exit", waitForAll)
  return memory
}

/** The flags of a new thread; `release` gives them back when it has exited. */
export const acquire = (): Flags => {
  const memory = install()
  for (let index = 0; index < capacity; index++) {
    const flags = slot(memory, index)
    if (Atomics.compareExchange(flags, taken, 0, 1) === 1) continue
    own.add(flags)
    return flags
  }
  throw new RangeError(`a process can have ${capacity} replicas at most`)
}

export const release = (flags: Flags): void => {
  own.delete(flags)
  Atomics.store(flags, busy, 0)
  Atomics.store(flags, stop, 0)
  Atomics.store(flags, taken, 0)
}

const waitForAll = (): void => {
  const all = isMainThread ? Array.from({ length: capacity }, (_, index) => slot(memory!, index)) : [...own]
  for (const flags of all) Atomics.store(flags, stop, 1)
  const end = performance.now() + limitMillis
  for (const flags of all) {
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
