/** How a run is carried out: its span, its context, and which answer each call gets. */
import { Array, Context, Effect, Exit, type Fiber, Tracer } from "effect"
import * as Deadline from "../../Deadline.ts"
import type { Ended, Entry, Run } from "./dispatcher.ts"
import { Failed, type Failure, type Success } from "./failed.ts"

export interface Options<Item, C, B, E, R> {
  readonly name: string
  readonly run: (items: Array.NonEmptyReadonlyArray<Item>) => Effect.Effect<C, E, R>
  /** Makes a result for each item from that of the run, when the executor has gone on already; throws what is a defect. */
  readonly finish: (output: C, items: Array.NonEmptyReadonlyArray<Item>) => ReadonlyArray<B>
  readonly isolate: boolean
  readonly services: Context.Context<R>
  readonly onEnd: (run: RunOf<Item, B, E>, how: Ended) => void
}

/** There is no output any more: each half of the run has given its own. */
const handedOut: unique symbol = Symbol("chorale/Batch/handedOut")

type HandedOut = typeof handedOut

type EntryOf<Item, B, E> = Entry<Item, Success<B>, E | Failure<B>>
type RunOf<Item, B, E> = Run<Item, Success<B>, E | Failure<B>>

/** Carries out runs; their fibers are in `fibers` until they have ended. */
export const make = <Item, C, B, E, R>(
  { finish, isolate, name, onEnd, run: runItems, services }: Options<Item, C, B, E, R>
) => {
  type AnEntry = EntryOf<Item, B, E>
  type ARun = RunOf<Item, B, E>

  const context = Context.add(services, Deadline.Current, undefined)
  const runFork = Effect.runForkWith(context)
  /** One for each executor that is busy. */
  const fibers: Array<Fiber.Fiber<unknown, unknown>> = []

  const runEntries = (entries: ReadonlyArray<AnEntry>): Effect.Effect<C | HandedOut, E, R> => {
    const items = entries.map(({ item }) => item)
    return Array.isReadonlyArrayNonEmpty(items) ? runItems(items) : Effect.succeed(handedOut)
  }

  const answer = (entries: ReadonlyArray<AnEntry>, exit: Exit.Exit<C | HandedOut, E>): void => {
    if (Exit.isFailure(exit)) return answerAll(entries, Exit.failCause(exit.cause))
    const items = entries.map(({ item }) => item)
    if (exit.value === handedOut || !Array.isReadonlyArrayNonEmpty(items)) return
    let results: ReadonlyArray<B>
    try {
      results = finish(exit.value, items)
    } catch (defect) {
      return answerAll(entries, Exit.die(defect))
    }
    for (let index = 0; index < entries.length; index++) entries[index]?.answer(toExit<B>(results[index]))
  }

  /** Runs each half of what failed together, until what fails is alone. */
  const halves = (entries: ReadonlyArray<AnEntry>): Effect.Effect<void, never, R> =>
    Effect.forEach(
      [entries.slice(0, entries.length >> 1), entries.slice(entries.length >> 1)],
      (half) => {
        const wanted = half.filter(({ run }) => run !== undefined)
        return Effect.flatMap(Effect.exit(Effect.suspend(() => runEntries(wanted))), (exit) => {
          if (canIsolate(wanted, exit)) return halves(wanted)
          for (const { run } of wanted) if (run !== undefined) run.wanted--
          for (const entry of wanted) entry.run = undefined
          answer(wanted, exit)
          return Effect.void
        })
      },
      { discard: true }
    )

  const carryOut = (entries: ReadonlyArray<AnEntry>): Effect.Effect<C | HandedOut, E, R> =>
    isolate
      ? Effect.flatMap(
        Effect.exit(Effect.suspend(() => runEntries(entries))),
        (exit) => canIsolate(entries, exit) ? Effect.as(halves(entries), handedOut) : exit
      )
      : runEntries(entries)

  // A run is no part of the span in which the batch was made.
  const always = Context.getOrUndefined(services, Tracer.Tracer) !== undefined ||
    Context.getOrUndefined(services, Tracer.ParentSpan) !== undefined
  /** Without a tracer, a span tells only those of whom it has links. */
  const isTraced = ({ entries }: ARun) => always || entries.some(({ span }) => span !== undefined)

  const inSpan = (run: ARun) =>
    Effect.useSpan(name, spanOptions(run), (span) => {
      linkCallers(run, span)
      return Effect.provideService(carryOut(run.entries), Tracer.ParentSpan, span)
    })

  const begin = (run: ARun) => {
    const deadline = latestDeadline(run.entries)
    const fork = deadline === undefined
      ? runFork
      : Effect.runForkWith(Context.add(context, Deadline.Current, deadline))
    const fiber = fork(isTraced(run) ? inSpan(run) : carryOut(run.entries))
    run.stop = () => fiber.interruptUnsafe()
    if (run.wanted === 0) run.stop()
    fibers.push(fiber)
    fiber.addObserver((exit) => {
      fibers.splice(fibers.indexOf(fiber), 1)
      // The executor goes on first: what the callers do with their answers must not keep it waiting.
      onEnd(run, howItEnded(exit))
      answer(run.entries, exit)
    })
  }
  return { begin, fibers }
}

const canIsolate = (entries: ReadonlyArray<unknown>, exit: Exit.Exit<unknown, unknown>) =>
  entries.length > 1 && Exit.isFailure(exit) && !Exit.hasInterrupts(exit)

const howItEnded = (exit: Exit.Exit<unknown, unknown>): Ended => {
  if (Exit.isFailure(exit)) return Exit.hasInterrupts(exit) ? "stopped" : "failed"
  return exit.value === handedOut ? "failed" : "succeeded"
}

const answerAll = <Item, A, E>(entries: ReadonlyArray<Entry<Item, A, E>>, exit: Exit.Exit<never, E>): void => {
  for (const entry of entries) entry.answer(exit)
}

const toExit = <B>(result: B | undefined): Exit.Exit<Success<B>, Failure<B>> =>
  result instanceof Failed
    ? Exit.fail(result.error)
    // There is one result for each item, and what is no `Failed` is a success.
    : Exit.succeed(result as Success<B>)

/** The deadline by which the last of the callers has gone; none where one of them has no deadline. */
const latestDeadline = (entries: ReadonlyArray<{ readonly deadline: Deadline.Deadline | undefined }>) => {
  let latest: Deadline.Deadline | undefined
  for (const { deadline } of entries) {
    if (deadline === undefined) return undefined
    if (latest === undefined || deadline.at > latest.at) latest = deadline
  }
  return latest
}

const spanOptions = <Item, A, E>({ cost, entries, started }: Run<Item, A, E>): Tracer.SpanOptionsNoTrace => ({
  root: true,
  attributes: {
    "batch.size": entries.length,
    "batch.cost": cost,
    "batch.wait_ms": started - Math.min(...entries.map(({ arrived }) => arrived))
  },
  links: entries.flatMap(({ span }) => span === undefined ? [] : [{ span, attributes: {} }])
})

const linkCallers = <Item, A, E>({ entries, started }: Run<Item, A, E>, span: Tracer.Span): void => {
  for (const entry of entries) {
    entry.span?.addLinks([{
      span,
      attributes: { "batch.size": entries.length, "batch.wait_ms": started - entry.arrived }
    }])
  }
}
