/**
 * The caller's side of the streams in a payload.
 *
 * A stream runs when the handler runs it, and ahead of the handler by no more than a few items. Items that are there
 * travel together; one that comes alone does not wait for others.
 */
import { Effect, Exit, Queue, type SchemaIssue, Semaphore, Stream } from "effect"
import type { RpcSerialization } from "effect/rpc"
import type { ServiceError } from "../ServiceError.ts"
import { type Items, mapStreams, StreamId } from "./payloadStream.ts"
import * as StreamMessage from "./streamMessage.ts"

/** Tells the callee something; what it answers is whether to go on. */
export type Push = (message: StreamMessage.Message) => Effect.Effect<boolean, unknown>

/** A payload with ids in place of its streams, and what must run while the call does. */
export interface Departed {
  readonly payload: unknown
  /** Never succeeds; fails when the callee cannot be told. Interrupting it stops the streams. */
  readonly send: (push: Push) => Effect.Effect<never, unknown>
}

/** Takes the streams out of the payloads of a method; `refuse` is what an item that does not fit is to the call. */
export const depart = (
  fields: ReadonlyMap<string, Items>,
  codecFor: RpcSerialization.CodecFor,
  refuse: (issue: SchemaIssue.Issue) => ServiceError
): (payload: unknown) => Departed => {
  const codecs = new Map(
    Array.from(fields, ([field, items]) => [field, StreamMessage.codecs(items, codecFor)] as const)
  )
  return (payload) => {
    const outgoing: Array<Outgoing> = []
    const departed = mapStreams(payload, fields, (value, field) => {
      const codec = codecs.get(field)
      // The payload was checked: where its schema has a stream, it has one.
      const stream = value as Stream.Stream<unknown, unknown>
      const id = StreamMessage.makeId()
      if (codec !== undefined) outgoing.push({ id, codec, stream: encoded(stream, codec, refuse) })
      return new StreamId(id)
    })
    const send = (push: Push) =>
      Effect.andThen(
        Effect.forEach(outgoing, (one) => serve(one, push, 0), { concurrency: "unbounded", discard: true }),
        Effect.never
      )
    return { payload: departed, send }
  }
}

type Codec = ReturnType<typeof StreamMessage.codecs>

interface Item {
  readonly value: unknown
  readonly cost: number
}

interface Outgoing {
  readonly id: string
  readonly codec: Codec
  readonly stream: Stream.Stream<Item, unknown>
}

/** What may be on its way at a time: so many bytes, and so many items. */
const maxBytes = 1024 * 1024
const maxItems = 32

const encoded = (
  stream: Stream.Stream<unknown, unknown>,
  { encodeItem }: Codec,
  refuse: (issue: SchemaIssue.Issue) => ServiceError
): Stream.Stream<Item, unknown> =>
  Stream.mapEffect(stream, (item) =>
    Effect.mapBoth(encodeItem(item), {
      onFailure: refuse,
      onSuccess: (value) => ({
        value,
        cost: Math.min(maxBytes, Math.max(Math.ceil(maxBytes / maxItems), StreamMessage.sizeOf(value)))
      })
    }))

/** Runs a stream each time that the callee does. */
const serve = (outgoing: Outgoing, push: Push, run: number): Effect.Effect<void, unknown> =>
  Effect.flatMap(
    untilTrue(push({ type: "start", id: outgoing.id, run })),
    () => Effect.all([transfer(outgoing, push, run), serve(outgoing, push, run + 1)], { concurrency: 2, discard: true })
  )

/** An answer of false may come at once, from a callee that knows nothing of the call yet. */
const untilTrue = (ask: Effect.Effect<boolean, unknown>): Effect.Effect<void, unknown> =>
  Effect.flatMap(ask, (yes) => yes ? Effect.void : Effect.andThen(Effect.sleep("100 millis"), untilTrue(ask)))

const untilFalse = (ask: Effect.Effect<boolean, unknown>): Effect.Effect<void, unknown> =>
  Effect.flatMap(ask, (yes) => yes ? untilFalse(ask) : Effect.void)

type Entry = Item | { readonly exit: Exit.Exit<void, unknown> }

/** Sends the items and the end of one run, until the callee takes no more. */
const transfer = Effect.fnUntraced(function*(outgoing: Outgoing, push: Push, run: number) {
  const entries = yield* Queue.unbounded<Entry>()
  const room = yield* Semaphore.make(maxBytes)
  const produce = Stream.runForEach(
    outgoing.stream,
    (item) => Effect.andThen(room.take(item.cost), Queue.offer(entries, item))
  ).pipe(
    Effect.exit,
    Effect.flatMap((exit) => Queue.offer(entries, { exit }))
  )
  const watch = untilFalse(push({ type: "watch", id: outgoing.id, run }))
  yield* Effect.raceAllFirst([
    Effect.andThen(produce, Effect.never),
    consume(outgoing, push, run, entries, room),
    watch
  ])
})

const consume = Effect.fnUntraced(function*(
  { codec, id }: Outgoing,
  push: Push,
  run: number,
  entries: Queue.Queue<Entry>,
  room: Semaphore.Semaphore
) {
  let sequence = 0
  while (true) {
    const ready = yield* Queue.takeAll(entries)
    const items = ready.filter((entry) => "value" in entry)
    const [first, ...others] = items.map(({ value }) => value)
    if (items.length > 0) {
      const values = [first, ...others] as const
      if (!(yield* push({ type: "items", id, run, sequence: sequence++, values }))) return
      yield* room.release(items.reduce((cost, item) => cost + item.cost, 0))
    }
    const end = ready.find((entry) => "exit" in entry)
    if (end !== undefined) {
      const exit = yield* Effect.catch(codec.encodeExit(end.exit), () => codec.encodeExit(undeclared))
      yield* push({ type: "end", id, run, sequence, exit })
      return
    }
  }
})

const undeclared = Exit.die(new TypeError("a stream failed with an error that its schema does not declare"))
