import { assert, describe, it } from "@effect/vitest"
import { Model, ServiceError, Tensor } from "chorale"
import {
  Context,
  Deferred,
  Duration,
  Effect,
  Exit,
  Fiber,
  Ref,
  Result,
  Schema,
  SchemaIssue,
  SchemaParser,
  Stream
} from "effect"
import { Rpc } from "effect/rpc"
import { TestClock } from "effect/testing"
import { codecFor } from "../../src/internal/bytesCodec.ts"
import { checkItems, streamFields, streamOf } from "../../src/internal/payloadStream.ts"
import * as StreamMessage from "../../src/internal/streamMessage.ts"
import * as StreamReceiver from "../../src/internal/streamReceiver.ts"
import * as StreamSender from "../../src/internal/streamSender.ts"

class Broken extends Schema.TaggedError<Broken>()("Broken", { at: Schema.Date }) {}

const Payload = Schema.Struct({
  language: Schema.String,
  numbers: streamOf(Schema.Int, Broken),
  tensors: Schema.optionalKey(streamOf(Tensor.schema("float32", ["n"])))
})

class Sum extends Model.Service<Sum>()("test/Sum", [
  Rpc.make("sum", { payload: { numbers: streamOf(Schema.Int, Broken) }, success: Schema.Int, error: Broken })
]) {}

const SumLive = Sum.toLayer({
  sum: ({ numbers }) => Stream.runFold(numbers, () => 0, (sum, item) => sum + item)
})

type Numbers = Stream.Stream<number, Broken | ServiceError.ServiceError>

const fail = (reason: ServiceError.Reason) => new ServiceError.ServiceError({ service: "test", method: "m", reason })
const failures: StreamReceiver.Failures = {
  fail,
  refuse: (issue) => fail(new ServiceError.InvalidPayload({ issue: String(issue) }))
}

const fields = streamFields(Payload)
const depart = StreamSender.depart(fields, codecFor, failures.refuse)
const encode = SchemaParser.encodeUnknownEffect(codecFor(Payload))
const decode = SchemaParser.decodeUnknownEffect(codecFor(Payload))

interface Wire {
  readonly receiver?: StreamReceiver.Receiver
  /** What happens to a message on its way; by default it takes a turn. */
  readonly carry?: (message: StreamMessage.Message) => Effect.Effect<void, unknown>
}

/** Calls a handler as over a hop: the payload and each message are encoded, and everything takes a turn. */
const call = <A, E, R>(
  payload: typeof Payload.Type,
  handler: (payload: typeof Payload.Type) => Effect.Effect<A, E, R>,
  { carry = () => Effect.yieldNow, receiver = new StreamReceiver.Receiver() }: Wire = {}
) => {
  const departed = depart(payload)
  const arrive = StreamReceiver.arrive(receiver, fields, codecFor, failures)
  const answer = encode(departed.payload).pipe(
    Effect.flatMap((encoded) => decode(structuredClone(encoded))),
    Effect.flatMap(arrive),
    // What arrives is what the schema says.
    Effect.flatMap((arrived) => handler(arrived as typeof Payload.Type)),
    Effect.scoped
  )
  const push = (message: StreamMessage.Message) =>
    Effect.flatMap(carry(message), () => receiver.push(structuredClone(message)))
  return Effect.raceFirst(answer, departed.send(push))
}

const numbers = (stream: Numbers) => ({ language: "en", numbers: stream })

const range = (to: number) => Array.from({ length: to }, (_, index) => index)

/** A stream that counts what it has produced, and says when it is over. */
const counted = Effect.fnUntraced(function*(produce: (item: number) => Effect.Effect<unknown> = () => Effect.void) {
  const produced = yield* Ref.make(0)
  const stopped = yield* Deferred.make<void>()
  const stream: Numbers = Stream.iterate(0, (item) => item + 1).pipe(
    Stream.rechunk(1),
    Stream.tap(produce),
    Stream.tap(() => Ref.update(produced, (count) => count + 1)),
    Stream.ensuring(Deferred.succeed(stopped, undefined))
  )
  return { produced, stopped, stream }
})

describe("a stream in a payload", () => {
  it("is a field of a struct, by its schema", () => {
    assert.deepStrictEqual(Array.from(fields.keys()), ["numbers", "tensors"])
    assert.strictEqual(fields.get("numbers")?.error, Broken)
    assert.strictEqual(streamFields(Schema.String).size, 0)
  })

  it.effect("is a Stream to the caller and to the handler", () =>
    Effect.gen(function*() {
      const sum = yield* Sum
      assert.strictEqual(yield* sum.sum({ numbers: Stream.make(1, 2, 3) }), 6)
    }).pipe(Effect.provide(SumLive)))

  it.effect("is refused where it is no stream, and where nothing carries it", () =>
    Effect.gen(function*() {
      const make = SchemaParser.makeEffect(Payload)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(make({ language: "en", numbers: 1 } as never))))
      const issue = yield* Effect.flip(encode(numbers(Stream.make(1))))
      assert.include(SchemaIssue.makeFormatterDefault()(issue), "A stream cannot travel here")
    }))

  it.effect("delivers exactly its items, in order", () =>
    Effect.gen(function*() {
      for (const length of [0, 1, 31, 32, 33, 1000]) {
        const seen = yield* call(numbers(Stream.fromIterable(range(length))), (payload) => {
          assert.strictEqual(payload.language, "en")
          return Stream.runCollect(payload.numbers)
        })
        assert.deepStrictEqual(seen, range(length))
      }
    }))

  it.effect("delivers 10,000 items that come one by one", () =>
    Effect.gen(function*() {
      const one = Stream.fromIterable(range(10_000)).pipe(Stream.rechunk(1))
      assert.strictEqual(yield* call(numbers(one), ({ numbers }) => Stream.runCount(numbers)), 10_000)
    }))

  it.effect("delivers two streams of one payload, with tensors as they are", () =>
    Effect.gen(function*() {
      const tensors = range(5).map((value) => Tensor.make("float32", [2], Float32Array.of(value, Number.NaN)))
      const payload = { ...numbers(Stream.make(1, 2)), tensors: Stream.fromIterable(tensors) }
      const seen = yield* call(payload, ({ numbers, tensors = Stream.empty }) =>
        Effect.all([Stream.runCollect(numbers), Stream.runCollect(tensors)], { concurrency: 2 }))
      assert.deepStrictEqual(seen, [[1, 2], tensors])
    }))

  it.effect("sends what is there together, and does not wait for more", () =>
    Effect.gen(function*() {
      const sent: Array<number> = []
      const carry = (message: StreamMessage.Message) =>
        Effect.sync(() => message.type === "items" && sent.push(message.values.length))
      const together = Stream.fromIterable(range(96))
      const apart = Stream.fromIterable(range(3)).pipe(Stream.tap(() => Effect.sleep("1 second")))
      yield* call(numbers(together), ({ numbers }) => Stream.runDrain(numbers), { carry })
      assert.isAtMost(sent.length, 6)
      sent.length = 0
      const slow = yield* Effect.forkChild(call(numbers(apart), ({ numbers }) => Stream.runDrain(numbers), { carry }))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(sent, [1, 1])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(slow)
    }))

  it.effect("runs when the handler runs it, and again when it does so again", () =>
    Effect.gen(function*() {
      const runs = yield* Ref.make(0)
      const stream = Stream.unwrap(Effect.as(Ref.update(runs, (count) => count + 1), Stream.make(1, 2)))
      const never = yield* call(numbers(stream), () => Effect.andThen(Effect.sleep(0), Ref.get(runs))).pipe(
        Effect.forkChild
      )
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(never), 0)
      const twice = yield* call(numbers(stream), ({ numbers }) =>
        Effect.all([Stream.runCollect(numbers), Stream.runCollect(numbers)], { concurrency: "unbounded" }))
      assert.deepStrictEqual(twice, [[1, 2], [1, 2]])
      assert.strictEqual(yield* Ref.get(runs), 2)
    }))

  it.effect("is ahead of a slow handler by a few items only", () =>
    Effect.gen(function*() {
      const { produced, stream } = yield* counted()
      const handler = yield* Effect.forkChild(call(numbers(stream), ({ numbers }) =>
        numbers.pipe(
          Stream.rechunk(1),
          Stream.take(300),
          Stream.runForEach(() => Effect.sleep("1 second"))
        )))
      yield* TestClock.adjust("10 seconds")
      const early = yield* Ref.get(produced)
      assert.isAtMost(early, 160)
      yield* TestClock.adjust("190 seconds")
      const late = yield* Ref.get(produced)
      assert.isAbove(late, 200)
      assert.isAtMost(late, 360)
      yield* Fiber.interrupt(handler)
    }))

  it.effect("is ahead by a few of its large items", () =>
    Effect.gen(function*() {
      const produced = yield* Ref.make(0)
      const large = Tensor.zeros("float32", [256 * 1024])
      const tensors = Stream.fromIterable(Array.from({ length: 100 }, () => large)).pipe(
        Stream.rechunk(1),
        Stream.tap(() => Ref.update(produced, (count) => count + 1))
      )
      const handler = yield* Effect.forkChild(
        call({ ...numbers(Stream.empty), tensors }, ({ tensors = Stream.empty }) =>
          Stream.runForEach(tensors, () => Effect.never))
      )
      yield* TestClock.adjust("10 seconds")
      assert.isAtMost(yield* Ref.get(produced), 6)
      yield* Fiber.interrupt(handler)
    }))

  it.effect("stops when the handler has enough, while the call goes on", () =>
    Effect.gen(function*() {
      const { stopped, stream } = yield* counted()
      const seen = yield* call(numbers(stream), ({ numbers }) =>
        numbers.pipe(Stream.take(3), Stream.runCollect, Effect.tap(Deferred.await(stopped))))
      assert.deepStrictEqual(seen, [0, 1, 2])
    }))

  it.effect("stops when the handler has enough, though nothing comes", () =>
    Effect.gen(function*() {
      const { stopped, stream } = yield* counted((item) => item === 1 ? Effect.never : Effect.void)
      const seen = yield* call(numbers(stream), ({ numbers }) =>
        numbers.pipe(Stream.take(1), Stream.runCollect, Effect.tap(Deferred.await(stopped))))
      assert.deepStrictEqual(seen, [0])
    }))

  it.effect("stops when the call has ended", () =>
    Effect.gen(function*() {
      const { stopped, stream } = yield* counted(() => Effect.sleep("1 second"))
      const reading = yield* Deferred.make<void>()
      const answer = yield* Effect.forkChild(call(numbers(stream), ({ numbers }) =>
        Effect.gen(function*() {
          yield* Effect.forkChild(Stream.runForEach(numbers, () => Deferred.succeed(reading, undefined)))
          yield* Deferred.await(reading)
          return "enough"
        })))
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Fiber.join(answer), "enough")
      yield* Deferred.await(stopped)
    }))

  it.effect("stops with its handler when the caller is interrupted", () =>
    Effect.gen(function*() {
      const { stopped, stream } = yield* counted(() => Effect.sleep("1 second"))
      const handler = yield* Deferred.make<void>()
      const answer = yield* Effect.forkChild(call(numbers(stream), ({ numbers }) =>
        Stream.runDrain(numbers).pipe(Effect.onInterrupt(() =>
          Deferred.succeed(handler, undefined)
        ))))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.interrupt(answer)
      yield* Deferred.await(stopped)
      yield* Deferred.await(handler)
    }))

  it.effect("gives its declared error as an instance of its class, after its items", () =>
    Effect.gen(function*() {
      const stream = Stream.make(1, 2).pipe(Stream.concat(Stream.fail(new Broken({ at: new Date(0) }))))
      const seen: Array<number> = []
      const error = yield* call(numbers(stream), ({ numbers }) =>
        Stream.runForEach(numbers, (item) => Effect.sync(() => seen.push(item)))).pipe(Effect.flip)
      assert.deepStrictEqual(seen, [1, 2])
      assert.instanceOf(error, Broken)
      assert.deepStrictEqual(error.at, new Date(0))
    }))

  it.effect("gives the ServiceError of the service that it comes from", () =>
    Effect.gen(function*() {
      const error = fail(new ServiceError.Unavailable({ detail: "gone" }))
      const seen = yield* Effect.flip(call(numbers(Stream.fail(error)), ({ numbers }) => Stream.runDrain(numbers)))
      assert.deepStrictEqual(seen, error)
    }))

  it.effect("gives a defect as a defect, and so an error that is not declared", () =>
    Effect.gen(function*() {
      const undeclared = Stream.fail("not declared") as Stream.Stream<never> as Numbers
      for (const stream of [Stream.die(new Error("a bug")), undeclared]) {
        const seen = yield* call(numbers(stream), ({ numbers }) => Effect.exit(Stream.runDrain(numbers)))
        assert.isTrue(Exit.hasDies(seen))
      }
    }))

  it.effect("is InvalidPayload when an item does not fit, here as over a hop", () =>
    Effect.gen(function*() {
      const payload = numbers(Stream.make(1, 1.5))
      const check = checkItems(fields, failures.refuse)
      const local = (run: (payload: typeof Payload.Type) => Effect.Effect<unknown, unknown>) =>
        run(check(payload, Context.empty()) as typeof Payload.Type)
      for (const place of [local, (run: Parameters<typeof local>[0]) => call(payload, run)]) {
        const seen: Array<number> = []
        const error = yield* Effect.flip(
          place(({ numbers }) => Stream.runForEach(numbers, (item) => Effect.sync(() => seen.push(item))))
        )
        assert.instanceOf(error, ServiceError.ServiceError)
        assert.strictEqual(error.reason._tag, "InvalidPayload")
        assert.deepStrictEqual(seen, [1])
      }
    }))

  it.effect("runs in the context of its caller in the same process too", () =>
    Effect.gen(function*() {
      const Language = Context.Reference<string>("test/Language", { defaultValue: () => "none" })
      const stream = Stream.unwrap(Effect.map(Language, (language) => Stream.make(language.length)))
      const caller = Context.make(Language, "en")
      const payload = checkItems(fields, failures.refuse)(numbers(stream), caller) as typeof Payload.Type
      const seen = yield* Stream.runCollect(payload.numbers).pipe(Effect.provideService(Language, "handler"))
      assert.deepStrictEqual(seen, [2])
    }))

  it.effect("of a call in the same process runs in the context of that call", () =>
    Effect.gen(function*() {
      const Addend = Context.Reference<number>("test/Addend", { defaultValue: () => 0 })
      const stream = Stream.unwrap(Effect.map(Addend, (addend) => Stream.make(1 + addend)))
      const sum = Sum.use((service) => Effect.provideService(service.sum({ numbers: stream }), Addend, 41))
      assert.strictEqual(yield* sum.pipe(Effect.provide(SumLive)), 42)
    }))

  it.effect("fails the call when the callee cannot be told", () =>
    Effect.gen(function*() {
      const carry = (message: StreamMessage.Message) => message.type === "items" ? Effect.fail("gone") : Effect.void
      const error = yield* Effect.flip(
        call(numbers(Stream.make(1)), ({ numbers }) => Stream.runDrain(numbers), { carry })
      )
      assert.strictEqual(error, "gone")
    }))

  it.effect("of one call can be what another is called with", () =>
    Effect.gen(function*() {
      const { stopped, stream } = yield* counted()
      const seen = yield* call(numbers(stream), (first) =>
        call(
          numbers(Stream.map(first.numbers, (item) => item * 2)),
          (second) => second.numbers.pipe(Stream.take(3), Stream.runCollect)
        ))
      assert.deepStrictEqual(seen, [0, 2, 4])
      yield* Deferred.await(stopped)
    }))

  it.effect("arrives when its call is late, or takes longer than a question waits", () =>
    Effect.gen(function*() {
      const receiver = new StreamReceiver.Receiver()
      const departed = depart(numbers(Stream.fromIterable(range(100)).pipe(Stream.tap(() => Effect.sleep("1 minute")))))
      const sending = yield* Effect.forkChild(departed.send((message) => receiver.push(message)))
      yield* TestClock.adjust("90 seconds")
      const arrived = yield* StreamReceiver.arrive(receiver, fields, codecFor, failures)(departed.payload)
      const answer = yield* Effect.forkChild(Stream.runCollect((arrived as typeof Payload.Type).numbers))
      yield* TestClock.adjust("101 minutes")
      assert.deepStrictEqual(yield* Fiber.join(answer), range(100))
      yield* Fiber.interrupt(sending)
    }))
})

describe("a receiver", () => {
  const id = StreamMessage.makeId()
  const items = fields.get("numbers") ?? { item: Schema.Never, error: Schema.Never }
  const codec = StreamMessage.codecs(items, codecFor)
  const push = (receiver: StreamReceiver.Receiver, sequence: number, ...values: [unknown, ...Array<unknown>]) =>
    receiver.push({ type: "items", id, run: 0, sequence, values })

  /** A receiver with one stream that a handler reads, and what the handler has seen of it. */
  const reading = Effect.fnUntraced(function*(
    limits: Partial<StreamReceiver.Limits> = {},
    read: (item: unknown) => Effect.Effect<void> = () => Effect.void
  ) {
    const receiver = new StreamReceiver.Receiver({ ...StreamReceiver.defaultLimits, ...limits })
    const stream = yield* receiver.open(id, codec, failures)
    const seen: Array<unknown> = []
    const fiber = yield* Stream.runForEach(
      stream,
      (item) => Effect.andThen(Effect.sync(() => seen.push(item)), read(item))
    )
      .pipe(Effect.result, Effect.forkChild({ startImmediately: true }))
    return { fiber, receiver, seen, stream }
  })

  const reasonOf = (result: Result.Result<void, unknown>) =>
    Result.isFailure(result) && result.failure instanceof ServiceError.ServiceError
      ? result.failure.reason._tag
      : result

  it("makes ids that nobody can guess", () => {
    assert.match(id, /^[0-9a-f]{32}$/)
    assert.strictEqual(new Set(range(1000).map(StreamMessage.makeId)).size, 1000)
  })

  it.effect("takes nothing for streams that it does not know", () =>
    Effect.gen(function*() {
      const { receiver } = yield* reading()
      const other = StreamMessage.makeId()
      assert.isFalse(yield* receiver.push({ type: "items", id: other, run: 0, sequence: 0, values: [1] }))
      assert.isFalse(yield* receiver.push({ type: "items", id, run: 1, sequence: 0, values: [1] }))
      assert.isFalse(yield* receiver.push({ type: "end", id: other, run: 0, sequence: 0, exit: {} }))
      assert.isFalse(yield* receiver.push({ type: "watch", id: other, run: 0 }))
      assert.isFalse(yield* receiver.push({ type: "start", id, run: 5 }))
    }))

  it.effect("takes a message once, however often it comes", () =>
    Effect.gen(function*() {
      const { fiber, receiver, seen } = yield* reading()
      for (const sequence of [0, 0, 1, 0, 1]) assert.isTrue(yield* push(receiver, sequence, sequence))
      const exit = yield* codec.encodeExit(Exit.void)
      yield* receiver.push({ type: "end", id, run: 0, sequence: 2, exit })
      assert.isTrue(Result.isSuccess(yield* Fiber.join(fiber)))
      assert.deepStrictEqual(seen, [0, 1])
      assert.isFalse(yield* push(receiver, 3, 3))
    }))

  it.effect("takes a message again that was interrupted while it waited", () =>
    Effect.gen(function*() {
      const { receiver, seen } = yield* reading({}, () => Effect.sleep("1 second"))
      yield* push(receiver, 0, 0)
      yield* Effect.yieldNow
      yield* push(receiver, 1, 1)
      const waiting = yield* Effect.forkChild(push(receiver, 2, 2), { startImmediately: true })
      yield* Fiber.interrupt(waiting)
      const again = yield* Effect.forkChild(push(receiver, 2, 2))
      yield* TestClock.adjust("3 seconds")
      assert.isTrue(yield* Fiber.join(again))
      assert.deepStrictEqual(seen, [0, 1, 2])
    }))

  it.effect("fails a stream that lacks a message", () =>
    Effect.gen(function*() {
      const { fiber, receiver } = yield* reading()
      assert.isFalse(yield* push(receiver, 1, 1))
      assert.strictEqual(reasonOf(yield* Fiber.join(fiber)), "Unavailable")
    }))

  it.effect("refuses an item and an end that do not fit", () =>
    Effect.gen(function*() {
      const one = yield* reading()
      yield* push(one.receiver, 0, "text")
      assert.strictEqual(reasonOf(yield* Fiber.join(one.fiber)), "InvalidPayload")
      const other = yield* reading()
      yield* other.receiver.push({ type: "end", id, run: 0, sequence: 0, exit: { _tag: "Success", value: 1 } })
      assert.strictEqual(reasonOf(yield* Fiber.join(other.fiber)), "InvalidPayload")
    }))

  it.effect("gives what is over its bytes up as Overloaded, and takes more when there is room", () =>
    Effect.gen(function*() {
      const { fiber, receiver } = yield* reading({ bytes: 4096 }, () => Effect.never)
      yield* push(receiver, 0, 0)
      yield* Effect.yieldNow
      yield* push(receiver, 1, 1)
      assert.isFalse(yield* push(receiver, 2, "x".repeat(5000)))
      yield* Fiber.interrupt(fiber)
      for (const _ of range(20)) {
        const other = StreamMessage.makeId()
        const items = { type: "items", id: other, run: 0 } as const
        yield* Effect.scoped(Effect.gen(function*() {
          const stream = yield* receiver.open(other, codec, failures)
          yield* Effect.forkChild(Stream.runForEach(stream, () => Effect.never), { startImmediately: true })
          assert.isTrue(yield* receiver.push({ ...items, sequence: 0, values: [1] }))
          yield* Effect.yieldNow
          assert.isTrue(yield* receiver.push({ ...items, sequence: 1, values: ["x".repeat(3000)] }))
        }))
      }
    }))

  it.effect("counts only what waits", () =>
    Effect.gen(function*() {
      const { receiver, seen } = yield* reading({ bytes: 4096 })
      for (const sequence of range(100)) assert.isTrue(yield* push(receiver, sequence, sequence))
      yield* Effect.yieldNow
      assert.deepStrictEqual(seen, range(100))
    }))

  it.effect("keeps what many messages hold at a time within its bytes", () =>
    Effect.gen(function*() {
      const { fiber, receiver } = yield* reading({ bytes: 10_000 }, () => Effect.never)
      const pushes = yield* Effect.forEach(range(1000), (sequence) =>
        Effect.forkChild(push(receiver, sequence, sequence), { startImmediately: true }))
      assert.isAtMost(
        pushes.filter((push) =>
          push.pollUnsafe() === undefined
        ).length,
        40
      )
      yield* Fiber.interrupt(fiber)
      const answers = yield* Effect.forEach(pushes, Fiber.join)
      assert.isAtMost(answers.filter((wanted) => wanted).length, 40)
    }))

  it.effect("refuses a second stream with an id, and more streams than it takes", () =>
    Effect.gen(function*() {
      const { receiver } = yield* reading({ streams: 2 })
      const second = yield* Effect.flip(receiver.open(id, codec, failures))
      assert.strictEqual(second.reason._tag, "InvalidPayload")
      yield* Effect.scoped(Effect.asVoid(receiver.open(StreamMessage.makeId(), codec, failures)))
      yield* Effect.asVoid(receiver.open(StreamMessage.makeId(), codec, failures))
      const third = yield* Effect.flip(receiver.open(StreamMessage.makeId(), codec, failures))
      assert.strictEqual(third.reason._tag, "Overloaded")
    }))

  it.effect("lets so many questions wait for calls that have not come", () =>
    Effect.gen(function*() {
      const receiver = new StreamReceiver.Receiver({ ...StreamReceiver.defaultLimits, streams: 10 })
      const questions = yield* Effect.forEach(range(100), () =>
        Effect.forkChild(receiver.push({ type: "start", id: StreamMessage.makeId(), run: 0 }), {
          startImmediately: true
        }))
      assert.strictEqual(
        questions.filter((question) =>
          question.pollUnsafe() === undefined
        ).length,
        10
      )
      yield* TestClock.adjust("20 seconds")
      assert.isTrue((yield* Effect.forEach(questions, Fiber.join)).every((answer) => !answer))
      const later = yield* Effect.forkChild(receiver.push({ type: "start", id, run: 0 }), { startImmediately: true })
      assert.isUndefined(later.pollUnsafe())
    }))

  it.effect("fails a stream that is run after its call", () =>
    Effect.gen(function*() {
      const receiver = new StreamReceiver.Receiver()
      const stream = yield* Effect.scoped(receiver.open(id, codec, failures))
      assert.strictEqual(reasonOf(yield* Effect.result(Stream.runDrain(stream))), "Unavailable")
    }))

  it.effect("fails a stream whose call ends while it runs elsewhere", () =>
    Effect.gen(function*() {
      const receiver = new StreamReceiver.Receiver()
      const fiber = yield* Effect.scoped(Effect.flatMap(receiver.open(id, codec, failures), (stream) =>
        Effect.forkDetach(Effect.result(Stream.runDrain(stream)), { startImmediately: true })))
      assert.strictEqual(reasonOf(yield* Fiber.join(fiber)), "Unavailable")
    }))

  it.effect("answers a question again and again while it stays open", () =>
    Effect.gen(function*() {
      const { fiber, receiver } = yield* reading({ patience: Duration.seconds(20) })
      const watch = yield* Effect.forkChild(receiver.push({ type: "watch", id, run: 0 }))
      const start = yield* Effect.forkChild(receiver.push({ type: "start", id, run: 1 }))
      yield* TestClock.adjust("20 seconds")
      assert.isTrue(yield* Fiber.join(watch))
      assert.isFalse(yield* Fiber.join(start))
      const last = yield* Effect.forkChild(receiver.push({ type: "watch", id, run: 0 }), { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      assert.isFalse(yield* Fiber.join(last))
    }))

  it("knows a message by its schema", () => {
    const is = Schema.is(StreamMessage.Message)
    assert.isTrue(is({ type: "start", id, run: 0 }))
    assert.isTrue(is({ type: "items", id, run: 0, sequence: 0, values: [new Uint8Array(1)] }))
    for (
      const wrong of [
        null,
        { type: "start", id: "1", run: 0 },
        { type: "start", id, run: -1 },
        { type: "items", id, run: 0, sequence: 0, values: [] },
        { type: "items", id, run: 0, sequence: 0.5, values: [1] },
        { type: "other", id, run: 0 }
      ]
    ) assert.isFalse(is(wrong))
  })
})
