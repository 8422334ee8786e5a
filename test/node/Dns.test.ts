/** A name that has several addresses, which change. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Option, Random, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Dns from "../../src/node/Dns.ts"
import * as Replicas from "../../src/Replicas.ts"
import { makeStage, replica, Work } from "../fixtures/replicas.ts"

/** A name server whose answer a test sets. */
const makeServer = (answer: ReadonlyArray<string> | undefined) => {
  const server = { answer, lookups: 0 }
  const resolver = (host: string) =>
    Effect.suspend(() => {
      server.lookups++
      return server.answer === undefined
        ? Effect.fail(new Dns.DnsError({ host, code: "ENOTFOUND" }))
        : Effect.succeed(server.answer)
    })
  return Object.assign(server, { layer: Layer.succeed(Dns.Resolver, resolver) })
}

const name = { scheme: "tcp", host: "reader.internal", port: 4000 } as const

/** Follows the addresses of a name in the background. */
const follow = Effect.fnUntraced(function*(server: ReturnType<typeof makeServer>, options: Dns.Options = name) {
  const seen: Array<ReadonlyArray<string>> = []
  const discovery = Dns.discover(options)
  const fiber = yield* Stream.runForEach(discovery.addresses, (addresses) => Effect.sync(() => seen.push(addresses)))
    .pipe(
      Effect.provide(server.layer),
      Random.withSeed("dns"),
      Effect.exit,
      Effect.forkScoped({ startImmediately: true })
    )
  return { seen, fiber, refresh: discovery.refresh ?? Effect.void }
})

describe("Dns.discover", () => {
  it.effect("tells of addresses when they have changed, and not otherwise", () =>
    Effect.gen(function*() {
      const server = makeServer(["10.0.0.2", "10.0.0.1"])
      const { seen } = yield* follow(server)
      assert.deepStrictEqual(seen, [["tcp://10.0.0.1:4000", "tcp://10.0.0.2:4000"]])
      server.answer = ["10.0.0.1", "10.0.0.2"]
      yield* TestClock.adjust("1 minute")
      assert.isAtLeast(server.lookups, 10)
      assert.isAtMost(server.lookups, 16)
      assert.strictEqual(seen.length, 1)
      server.answer = ["10.0.0.1", "10.0.0.3", "10.0.0.3"]
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(seen[1], ["tcp://10.0.0.1:4000", "tcp://10.0.0.3:4000"])
    }))

  it.effect("keeps the last addresses where a later lookup fails or finds nothing", () =>
    Effect.gen(function*() {
      const server = makeServer(["10.0.0.1"])
      const { fiber, seen } = yield* follow(server)
      for (const answer of [undefined, []]) {
        server.answer = answer
        yield* TestClock.adjust("1 minute")
      }
      assert.strictEqual(seen.length, 1)
      assert.isUndefined(fiber.pollUnsafe())
      server.answer = ["10.0.0.2"]
      yield* TestClock.adjust("6 seconds")
      assert.deepStrictEqual(seen[1], ["tcp://10.0.0.2:4000"])
    }))

  it.effect("tries the first lookup five times, twice as long apart, and then fails", () =>
    Effect.gen(function*() {
      const server = makeServer(undefined)
      const { fiber } = yield* follow(server)
      const lookups: Array<number> = []
      for (const time of [0, 199, 1, 400, 800, 1599]) {
        yield* TestClock.adjust(time)
        lookups.push(server.lookups)
      }
      assert.deepStrictEqual(lookups, [1, 1, 2, 3, 4, 4])
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust(1)
      const exit = yield* Fiber.join(fiber)
      assert.isTrue(Exit.isFailure(exit))
      assert.include(String(exit), "ENOTFOUND")
      assert.strictEqual(server.lookups, 5)
    }))

  it.effect("looks again soon where a replica does not answer, at most once a second", () =>
    Effect.gen(function*() {
      const server = makeServer(["10.0.0.1"])
      const { refresh, seen } = yield* follow(server, { ...name, refresh: "1 hour" })
      server.answer = ["10.0.0.2"]
      yield* refresh
      yield* refresh
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen[1], ["tcp://10.0.0.2:4000"])
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(server.lookups, 2)
      for (let index = 0; index < 100; index++) {
        yield* refresh
        yield* TestClock.adjust(100)
      }
      assert.isAtMost(server.lookups, 13)
      assert.isAtLeast(server.lookups, 10)
    }))

  it.effect("writes IPv6 addresses in brackets, and keeps the name for the certificate", () =>
    Effect.gen(function*() {
      const server = makeServer(["::1"])
      const tcp = yield* follow(server)
      assert.deepStrictEqual(tcp.seen, [["tcp://[::1]:4000"]])
      const tls = yield* follow(server, { ...name, scheme: "tls" })
      assert.deepStrictEqual(tls.seen, [["tls://[::1]:4000?servername=reader.internal"]])
    }))

  it.effect("finds a service by a name that is made of its own", () =>
    Effect.gen(function*() {
      const asked: Array<string> = []
      const find = Dns.byName({ ...name, host: ({ key }) => `${key.slice(key.lastIndexOf("/") + 1)}.internal` })
      const resolver = (host: string) => Effect.sync(() => [asked.push(host) > 0 ? "10.0.0.1" : ""])
      const found = yield* Stream.runHead(find(Work).addresses).pipe(Effect.provideService(Dns.Resolver, resolver))
      assert.deepStrictEqual(asked, ["Work.internal"])
      assert.deepStrictEqual(Option.getOrThrow(found), ["tcp://10.0.0.1:4000"])
    }))

  it.live("asks the system, so that /etc/hosts counts", () =>
    Effect.gen(function*() {
      const resolve = yield* Dns.Resolver
      const found = yield* resolve("localhost")
      assert.include(["127.0.0.1", "::1"], found[0])
      const error = yield* Effect.flip(resolve("nobody.invalid"))
      assert.include(["ENOTFOUND", "EAI_AGAIN"], error.code)
    }))
})

describe("Replicas.layerAddresses over a name", () => {
  it.effect("adds what has joined, drains what has left, and fails no call", () =>
    Effect.gen(function*() {
      const stage = makeStage()
      const server = makeServer(["10.0.0.1", "10.0.0.2"])
      const layer = Replicas.layerAddresses(Work, { addresses: Dns.discover(name), connect: replica(stage) })
      const context = yield* Layer.build(layer).pipe(Effect.provide(server.layer))
      const work = Context.get(context, Work)
      const { status } = Context.get(context, Replicas.view(Work))
      const calls = yield* Effect.forEach(Array.from({ length: 10 }), () =>
        Effect.forkChild(work.work({ millis: 20_000 }), { startImmediately: true }))
      server.answer = ["10.0.0.2", "10.0.0.3"]
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(
        (yield* status).map(({ name, state }) => [name, state]),
        [["tcp://10.0.0.1:4000", "draining"], ["tcp://10.0.0.2:4000", "ready"], ["tcp://10.0.0.3:4000", "ready"]]
      )
      const later = yield* Effect.forEach(Array.from({ length: 30 }), () =>
        work.work({ millis: 0 }))
      assert.notInclude(later, "tcp://10.0.0.1:4000")
      assert.include(later, "tcp://10.0.0.3:4000")
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.joinAll(calls)
      assert.deepStrictEqual(stage.lives.map(({ isReleased }) => isReleased), [true, false, false])
      server.answer = ["10.0.0.1"]
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* work.work({ millis: 0 }), "tcp://10.0.0.1:4000")
    }))

  it.effect("fails with the error of the lookup where there never was an address", () =>
    Effect.gen(function*() {
      const server = makeServer(undefined)
      const layer = Replicas.layerAddresses(Work, { addresses: Dns.discover(name), connect: replica(makeStage()) })
      const building = yield* Effect.forkScoped(
        Effect.flip(Layer.build(layer)).pipe(Effect.provide(server.layer))
      )
      yield* TestClock.adjust("1 minute")
      assert.instanceOf(yield* Fiber.join(building), Dns.DnsError)
    }))
})
