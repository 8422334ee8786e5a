/**
 * The callee's side of the streams in payloads: one registry for all the calls of a server.
 *
 * It knows only the streams of calls that run, by ids that nobody can guess. What handlers have not taken yet is
 * bounded over all of them, and so is the number of streams.
 */
import {
  Cause,
  Deferred,
  Duration,
  Effect,
  Exit,
  Queue,
  type SchemaIssue,
  SchemaParser,
  type Scope,
  Stream
} from "effect"
import type { RpcSerialization } from "effect/rpc"
import * as ServiceError from "../ServiceError.ts"
import { type Items, mapStreams, StreamId } from "./payloadStream.ts"
import * as StreamMessage from "./streamMessage.ts"

/** How much a receiver takes on. */
export interface Limits {
  /** How many streams may be open. */
  readonly streams: number
  /** How many bytes may wait for handlers. */
  readonly bytes: number
  /** How long a question waits for its answer; it is asked again then. */
  readonly patience: Duration.Duration
}

/** The limits where none are given: 4096 streams, 256 MiB, 20 seconds. */
export const defaultLimits: Limits = { streams: 4096, bytes: 256 * 1024 * 1024, patience: Duration.seconds(20) }

/** What is wrong with a stream, as an error of the call that it belongs to. */
export interface Failures {
  readonly refuse: (issue: SchemaIssue.Issue) => ServiceError.ServiceError
  readonly fail: (reason: ServiceError.Reason) => ServiceError.ServiceError
}

type Codec = ReturnType<typeof StreamMessage.codecs>

/** Puts streams in place of the ids in the payloads of a method, until the scope of the call closes. */
export const arrive = (
  receiver: Receiver,
  fields: ReadonlyMap<string, Items>,
  codecFor: RpcSerialization.CodecFor,
  failures: Failures
): (payload: unknown) => Effect.Effect<unknown, ServiceError.ServiceError, Scope.Scope> => {
  const codecs = Array.from(fields, ([field, items]) => [field, StreamMessage.codecs(items, codecFor)] as const)
  return Effect.fnUntraced(function*(payload) {
    const streams = new Map<string, Stream.Stream<unknown, unknown>>()
    for (const [field, codec] of codecs) {
      // The payload was decoded: it is a struct.
      const value = (payload as Record<string, unknown>)[field]
      if (value instanceof StreamId) streams.set(field, yield* receiver.open(value.id, codec, failures))
    }
    return mapStreams(payload, fields, (_, field) => streams.get(field))
  })
}

/** The streams of the calls that run. */
export class Receiver {
  private readonly limits: Limits
  private readonly calls = new Map<string, Incoming>()
  /** What is told when a stream is opened that was asked for before. */
  private readonly early = new Map<string, Deferred.Deferred<void>>()
  private buffered = 0

  constructor(limits: Limits = defaultLimits) {
    this.limits = limits
  }

  /** The stream of that id; a handler may run it until the scope closes. */
  open(
    id: string,
    codec: Codec,
    failures: Failures
  ): Effect.Effect<Stream.Stream<unknown, unknown>, ServiceError.ServiceError, Scope.Scope> {
    const acquire = Effect.suspend(() => {
      if (this.calls.has(id)) return Effect.fail(failures.fail(usedTwice))
      if (this.calls.size >= this.limits.streams) return Effect.fail(failures.fail(full))
      const incoming = new Incoming(failures)
      this.calls.set(id, incoming)
      const early = this.early.get(id)
      if (early !== undefined) Deferred.doneUnsafe(early, Exit.void)
      return Effect.succeed(incoming)
    })
    const release = (incoming: Incoming) =>
      Effect.sync(() => {
        this.calls.delete(id)
        for (const run of incoming.close()) this.finish(incoming, run)
      })
    return Effect.map(Effect.acquireRelease(acquire, release), (incoming) => this.stream(incoming, codec))
  }

  /** Answers a message of a caller. */
  push(message: StreamMessage.Message): Effect.Effect<boolean> {
    return Effect.suspend(() => {
      const incoming = this.calls.get(message.id)
      switch (message.type) {
        case "start":
          return incoming === undefined ? this.awaitCall(message) : this.awaitRun(incoming, message.run)
        case "watch":
          return this.awaitClose(incoming?.runs.get(message.run))
        default: {
          const run = incoming?.runs.get(message.run)
          return incoming === undefined || run === undefined ? no : this.take(incoming, run, message)
        }
      }
    })
  }

  private stream(incoming: Incoming, codec: Codec): Stream.Stream<unknown, unknown> {
    const run = Effect.acquireRelease(incoming.start, (run) => Effect.sync(() => this.finish(incoming, run)))
    return Stream.unwrap(Effect.map(run, (run) => Stream.fromPull(Effect.succeed(this.pull(incoming, run, codec)))))
  }

  private pull({ failures }: Incoming, run: Run, codec: Codec) {
    return Effect.flatMap(Queue.take(run.waiting), ({ message, size }) => {
      this.release(run, size)
      if (message.type === "items") {
        const [first, ...others] = message.values
        const decoded = Effect.zipWith(
          codec.decodeItem(first),
          Effect.forEach(others, (value) => codec.decodeItem(value)),
          (first, others) => [first, ...others] as const
        )
        return Effect.mapError(decoded, failures.refuse)
      }
      return Effect.flatMap(
        Effect.mapError(codec.decodeExit(message.exit), failures.refuse),
        (exit) => Exit.isSuccess(exit) ? Cause.done() : Effect.failCause(exit.cause)
      )
    })
  }

  private take(incoming: Incoming, run: Run, message: Taken["message"]): Effect.Effect<boolean> {
    if (message.sequence < run.next) return yes
    if (message.sequence > run.next) return this.break(incoming, run, lost)
    const size = messageSize + (message.type === "items" ? StreamMessage.sizeOf(message.values) : 0)
    if (this.buffered + size > this.limits.bytes) return this.break(incoming, run, full)
    run.next++
    run.held += size
    this.buffered += size
    // A message that was taken back may come again.
    return Effect.onInterrupt(Queue.offer(run.waiting, { message, size }), () =>
      Effect.sync(() => {
        run.next--
        this.release(run, size)
      }))
  }

  private break({ failures }: Incoming, run: Run, reason: ServiceError.Reason): Effect.Effect<boolean> {
    return Effect.as(Queue.fail(run.waiting, failures.fail(reason)), false)
  }

  private release(run: Run, size: number): void {
    if (run.closed) return
    run.held -= size
    this.buffered -= size
  }

  private finish(incoming: Incoming, run: Run): void {
    if (run.closed) return
    this.buffered -= run.held
    run.closed = true
    incoming.runs.delete(run.number)
    Queue.failCauseUnsafe(run.waiting, Cause.fail(incoming.failures.fail(ended)))
    Queue.shutdownUnsafe(run.waiting)
    Deferred.doneUnsafe(run.end, Exit.void)
  }

  /** The question may come before the call that it belongs to. */
  private awaitCall(message: StreamMessage.Message): Effect.Effect<boolean> {
    if (this.early.size >= this.limits.streams) return no
    const early = this.early.get(message.id) ?? Deferred.makeUnsafe<void>()
    this.early.set(message.id, early)
    return Deferred.await(early).pipe(
      Effect.andThen(this.push(message)),
      this.patiently(false),
      Effect.ensuring(Effect.sync(() => this.early.delete(message.id)))
    )
  }

  private awaitRun(incoming: Incoming, number: number): Effect.Effect<boolean> {
    if (number !== incoming.started) return number < incoming.started ? yes : no
    return this.patiently(false)(Deferred.await(incoming.nextRun))
  }

  private awaitClose(run: Run | undefined): Effect.Effect<boolean> {
    return run === undefined ? no : this.patiently(true)(Effect.as(Deferred.await(run.end), false))
  }

  private patiently(otherwise: boolean) {
    return Effect.timeoutOrElse({ duration: this.limits.patience, orElse: () => Effect.succeed(otherwise) })
  }
}

/** A stream of a call. */
class Incoming {
  readonly failures: Failures
  readonly runs = new Map<number, Run>()
  started = 0
  /** Told true when the handler runs the stream once more, and false when it never will. */
  nextRun = Deferred.makeUnsafe<boolean>()
  private closed = false

  constructor(failures: Failures) {
    this.failures = failures
  }

  readonly start = Effect.suspend(() =>
    this.closed ? Effect.fail(this.failures.fail(ended)) : Effect.map(Queue.bounded<Taken, unknown>(1), (waiting) => {
      const run: Run = {
        number: this.started++,
        waiting,
        end: Deferred.makeUnsafe<void>(),
        next: 0,
        held: 0,
        closed: false
      }
      this.runs.set(run.number, run)
      Deferred.doneUnsafe(this.nextRun, Exit.succeed(true))
      this.nextRun = Deferred.makeUnsafe<boolean>()
      return run
    })
  )

  /** The runs that are left. */
  close(): ReadonlyArray<Run> {
    this.closed = true
    Deferred.doneUnsafe(this.nextRun, Exit.succeed(false))
    return Array.from(this.runs.values())
  }
}

/** One run of a stream by its handler. */
interface Run {
  readonly number: number
  readonly waiting: Queue.Queue<Taken, unknown>
  readonly end: Deferred.Deferred<void>
  /** The number of the message that comes next. */
  next: number
  /** The bytes of what waits. */
  held: number
  closed: boolean
}

interface Taken {
  readonly message: Extract<StreamMessage.Message, { readonly type: "items" | "end" }>
  readonly size: number
}

/** What a message is counted with beside its items, in bytes. */
const messageSize = 256

const yes = Effect.succeed(true)
const no = Effect.succeed(false)

const full = new ServiceError.Overloaded({ retryAfter: Duration.seconds(1) })
const lost = new ServiceError.Unavailable({ detail: "items of a stream in the payload were lost" })
const ended = new ServiceError.Unavailable({ detail: "the call that the stream belongs to has ended" })
const usedTwice = new ServiceError.InvalidPayload({ issue: "two streams have the same id" })

/** Answers the messages about streams; one that is none is answered as one about a stream that nobody takes. */
export const handler = (receiver: Receiver): (message: unknown) => Effect.Effect<boolean> => {
  const decode = SchemaParser.decodeUnknownEffect(StreamMessage.Message)
  return (message) =>
    Effect.matchEffect(decode(message), {
      onFailure: () => Effect.succeed(false),
      onSuccess: (valid) => receiver.push(valid)
    })
}
