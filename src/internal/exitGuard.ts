/**
 * Keeps the process from ending in the middle of native code.
 *
 * Node tears its threads down when the process exits, and ONNX Runtime aborts the process when that happens to a thread
 * that is loading or running a model. So each thread has two flags in shared memory: it raises `busy` around native
 * code, and the exit of the process raises `stop` and waits until no thread is busy. A thread raises `busy` first and
 * looks at `stop` second; in the other order the process could end between the two.
 *
 * The flags of all threads lie in one memory, which threads inherit: the main thread also waits for the replicas of a
 * session that was opened in a worker thread, if it called `install` before it started that worker thread. So does who
 * stops such a worker thread by force, with `stopThread`.
 */
import { getEnvironmentData, isMainThread, setEnvironmentData, threadId } from "node:worker_threads"

export type Flags = Int32Array<SharedArrayBuffer>

const busy = 0
const stop = 1
/** Zero, or one more than the number of the thread that uses these flags and waits for them when it exits. */
const owner = 2
const fields = 3

/** How long the exit of the process may be held up by a model that runs. After that the process aborts. */
const limitMillis = 30_000

const capacity = 4096
const bytes = capacity * fields * Int32Array.BYTES_PER_ELEMENT
const key = "chorale/onnx/exitGuard"

const slots = (memory: SharedArrayBuffer): ReadonlyArray<Flags> =>
  Array.from({ length: capacity }, (_, index) => slot(memory, index))

const slot = (memory: SharedArrayBuffer, index: number): Flags =>
  new Int32Array(memory, index * fields * Int32Array.BYTES_PER_ELEMENT, fields)

// The memory and the listener belong to the process and not to any scope.
let memory: SharedArrayBuffer | undefined

/** Makes the exit of this thread wait for replicas; called before the first one, and before a thread that will have some. */
export const install = (): SharedArrayBuffer => {
  if (memory !== undefined) return memory
  const inherited = getEnvironmentData(key)
  memory = inherited instanceof SharedArrayBuffer ? inherited : new SharedArrayBuffer(bytes)
  setEnvironmentData(key, memory)
  process.on("exit", waitForAll)
  return memory
}

/** The flags of a new thread; `release` gives them back when it has exited. */
export const acquire = (): Flags => {
  const memory = install()
  for (let index = 0; index < capacity; index++) {
    const flags = slot(memory, index)
    if (Atomics.compareExchange(flags, owner, 0, threadId + 1) === 0) return flags
  }
  throw new RangeError(`a process can have ${capacity} replicas at most`)
}

export const release = (flags: Flags): void => {
  Atomics.store(flags, busy, 0)
  Atomics.store(flags, stop, 0)
  Atomics.store(flags, owner, 0)
}

const ownedBy = (thread: number): ReadonlyArray<Flags> =>
  slots(install()).filter((flags) => Atomics.load(flags, owner) === thread + 1)

const waitForAll = (): void => {
  const all = isMainThread ? slots(install()) : ownedBy(threadId)
  for (const flags of all) Atomics.store(flags, stop, 1)
  const end = performance.now() + limitMillis
  for (const flags of all) {
    while (Atomics.load(flags, busy) === 1 && performance.now() < end) {
      Atomics.wait(flags, busy, 1, end - performance.now())
    }
  }
}

/**
 * Lets the replicas of a worker thread begin no more native code. Says whether none of them is in the middle of some, so
 * that the thread can be stopped by force.
 */
export const stopThread = (thread: number): boolean => {
  const all = ownedBy(thread)
  for (const flags of all) Atomics.store(flags, stop, 1)
  return all.every((flags) => Atomics.load(flags, busy) === 0)
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
