/**
 * How much of the processor a thread or a process has used since it was started, in milliseconds of a core.
 *
 * On Linux a process is looked at from outside, also while it computes. Elsewhere it is asked, and answers when its event
 * loop is free. Of a thread, Node counts what it does itself, and not what threads do that it has started.
 */
import { Effect } from "effect"
import type { ChildProcess } from "node:child_process"
import { readFile } from "node:fs/promises"
import { Worker } from "node:worker_threads"
import type { CpuMillis } from "../../internal/replicaUsage.ts"

/** Whether this Node says it of threads: 24.6 is the first that does. */
export const isKnownOfThreads: boolean = "cpuUsage" in Worker.prototype

/** Of a thread that may have ended. */
export const ofThread = (worker: Worker): CpuMillis =>
  isKnownOfThreads
    ? Effect.promise(() => worker.cpuUsage().then(toMillis, () => undefined))
    : Effect.undefined

/** Of a process that may have ended. */
export const ofProcess = (child: ChildProcess): CpuMillis =>
  process.platform === "linux" ? fromOutside(child.pid) : asked(child)

const toMillis = ({ system, user }: NodeJS.CpuUsage): number => (user + system) / 1000

const fromOutside = (pid: number | undefined): CpuMillis =>
  Effect.promise(() => readFile(`/proc/${pid}/stat`, "utf8").then(parseStat, () => undefined))

/** The ticks in user and in system mode, of which Linux tells programs a hundred in a second. */
export const parseStat = (stat: string): number | undefined => {
  // The name of the program stands in parentheses, and may have spaces and parentheses in it.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  const ticks = Number(fields[11]) + Number(fields[12])
  return Number.isFinite(ticks) ? ticks * 10 : undefined
}

const question = "chorale/cpu"

interface Answer {
  readonly [question]: number
}

const isAnswer = (message: unknown): message is Answer =>
  typeof message === "object" && message !== null && question in message

/** What a process that calls `answer` says of itself; nothing where it has ended. */
export const asked = (child: ChildProcess): CpuMillis =>
  Effect.callback((resume) => {
    const read = (message: unknown) => {
      if (!isAnswer(message)) return
      child.off("message", read)
      resume(Effect.succeed(message[question]))
    }
    child.on("message", read)
    if (child.connected) child.send(question, () => undefined)
    return Effect.sync(() => child.off("message", read))
  })

/** Answers who started this process. */
export const answer = (): void => {
  process.on("message", (message) => {
    if (message !== question) return
    const answer: Answer = { [question]: toMillis(process.cpuUsage()) }
    process.send?.(answer, undefined, {}, () => undefined)
  })
}
