import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as Fs from "node:fs/promises"
import { fileURLToPath } from "node:url"
import * as Binary from "../fixtures/cli/binary.ts"
import * as Traffic from "../fixtures/cli/traffic.ts"

const hello = ["--deployment", Binary.hello]
const ordered = ["--deployment", fileURLToPath(new URL("../fixtures/cli/ordered/deployment.ts", import.meta.url))]
const burning = ["--deployment", fileURLToPath(new URL("../fixtures/cli/burning/deployment.ts", import.meta.url))]

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Looks again and again until it holds; the time of the test is the limit. */
const until = (holds: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => holds() ? Effect.void : Effect.andThen(Effect.sleep(10), until(holds)))

const isReady = (url: string) =>
  Effect.map(Effect.promise(() => fetch(`${url}/readyz`)), ({ status }) => status === 200)

const counts = (outcomes: ReadonlyArray<Traffic.Outcome>) =>
  Object.fromEntries(Array.from(Map.groupBy(outcomes, String), ([outcome, all]) => [outcome, all.length]))

describe("chorale serve under load", () => {
  it.live.each(["local", "threads", "processes"])(
    "answers every call that it has taken when it is told to stop, %s",
    (placement) =>
      Effect.gen(function*() {
        const server = yield* Binary.serve([...hello, "--placement", placement])
        const calls = yield* Effect.forkScoped(Effect.all(
          Array.from({ length: 20 }, () => Traffic.greet(server.url, 1000)),
          { concurrency: "unbounded" }
        ))
        yield* Traffic.untilTaken(server.url, 20)
        server.kill("SIGTERM")
        assert.deepStrictEqual(counts(yield* Fiber.join(calls)), { 200: 20 })
        const { code, signal } = yield* server.ended
        assert.deepStrictEqual({ code, signal }, { code: 0, signal: null })
      })
  )

  it.live.each(["local", "processes"])(
    "fails no call of who calls until it says that it stops, %s",
    (placement) =>
      Effect.gen(function*() {
        const server = yield* Binary.serve([...hello, "--placement", placement, "--drain-delay", "3"])
        const { outcomes, stop } = yield* Traffic.load(20, Traffic.greet(server.url, 100))
        yield* until(() => outcomes.length > 100)
        server.kill("SIGTERM")
        yield* Effect.repeat(isReady(server.url), { while: (ready) => ready })
        yield* stop
        assert.deepStrictEqual(Object.keys(counts(outcomes)), ["200"])
        assert.strictEqual((yield* server.ended).code, 0)
      })
  )

  it.live("ends within its grace period where calls do not end", () =>
    Effect.gen(function*() {
      const server = yield* Binary.serve([...hello, "--placement", "processes", "--grace-period", "1"])
      const call = yield* Effect.forkScoped(Traffic.greet(server.url, 60_000))
      yield* Traffic.untilTaken(server.url, 1)
      server.kill("SIGTERM")
      assert.strictEqual((yield* server.ended).code, 0)
      assert.strictEqual(yield* Fiber.join(call), 503)
    }))

  it.live("says that it stops before it does, and answers meanwhile", () =>
    Effect.gen(function*() {
      const server = yield* Binary.serve([...hello, "--drain-delay", "1"])
      server.kill("SIGTERM")
      yield* Effect.repeat(isReady(server.url), { while: (ready) => ready })
      assert.strictEqual(yield* Traffic.greet(server.url, 0), 200)
      assert.strictEqual((yield* server.ended).code, 0)
    }))

  it.live("fails no call that is retried when a process of a unit is killed", () =>
    Effect.gen(function*() {
      const server = yield* Binary.serve([...hello, "--placement", "processes"])
      const before = Binary.descendants(server.pid)
      const { outcomes, stop } = yield* Traffic.load(10, Traffic.greetWithRetries(server.url, 20))
      for (const pid of before) {
        const seen = outcomes.length
        yield* until(() => outcomes.length > seen + 50)
        process.kill(pid, "SIGKILL")
        yield* until(() => Binary.descendants(server.pid).length === 3)
      }
      const seen = outcomes.length
      yield* until(() => outcomes.length > seen + 50)
      yield* stop
      assert.deepStrictEqual(Object.keys(counts(outcomes)), ["200"])
      assert.deepStrictEqual(Binary.descendants(server.pid).filter((pid) => before.includes(pid)), [])
      assert.include(server.stdout(), "unit=greeter")
    }))

  it.live("replaces all processes without a call lost", () =>
    Effect.gen(function*() {
      const server = yield* Binary.serve([...hello, "--placement", "processes"])
      const before = Binary.descendants(server.pid)
      const { outcomes, stop } = yield* Traffic.load(10, Traffic.greet(server.url, 20))
      yield* until(() => outcomes.length > 50)
      server.kill("SIGUSR2")
      yield* server.line("hello has been restarted")
      yield* until(() => Binary.descendants(server.pid).length === 3)
      yield* stop
      assert.deepStrictEqual(Object.keys(counts(outcomes)), ["200"])
      assert.deepStrictEqual(Binary.descendants(server.pid).filter((pid) => before.includes(pid)), [])
    }))

  it.live("keeps its processes where those that would replace them do not start", () =>
    Effect.gen(function*() {
      const cwd = yield* Binary.folder()
      const env = { BROKEN_FILE: `${cwd}/broken` }
      const server = yield* Binary.serve([...hello, "--placement", "processes"], { env })
      const before = Binary.descendants(server.pid)
      yield* Effect.promise(() => Fs.writeFile(env.BROKEN_FILE, ""))
      const { outcomes, stop } = yield* Traffic.load(5, Traffic.greet(server.url, 20))
      server.kill("SIGUSR2")
      yield* server.line("the greeter is broken")
      yield* server.line("of hello/Greeter did not become ready")
      yield* stop
      assert.deepStrictEqual(Object.keys(counts(outcomes)), ["200"])
      assert.includeMembers(Array.from(Binary.descendants(server.pid)), Array.from(before))
    }))

  it.live("follows the load with the number of replicas, up and down", () =>
    Effect.gen(function*() {
      const scaling = "{ min_replicas: 1, max_replicas: 3, target: { concurrency: 2 }, scale_down_window: 1 second }"
      const yaml = `units:\n  greeter: { placement: processes, replicas: 1, scaling: ${scaling} }\n`
      const cwd = yield* Binary.folder({ "chorale.yaml": yaml })
      const server = yield* Binary.serve(hello, { cwd })
      assert.strictEqual(Binary.descendants(server.pid).length, 1)
      const { outcomes, stop } = yield* Traffic.load(20, Traffic.greet(server.url, 1000))
      yield* server.line("greeter goes from 1 to 3 replicas")
      yield* until(() => Binary.descendants(server.pid).length === 3)
      yield* stop
      yield* server.line("greeter goes from 3 to 1 replicas")
      yield* until(() => Binary.descendants(server.pid).length === 1)
      assert.deepStrictEqual(Object.keys(counts(outcomes)), ["200"])
    }))

  it.live.each(["processes", "threads"])(
    "follows the processor with the number of replicas, up and down, %s",
    (placement) =>
      Effect.gen(function*() {
        // A replica asks for a tenth of a core and should use half of that; one that waits uses next to nothing.
        const scaling = "{ max_replicas: 2, target: { cpu: 50 }, scale_down_window: 1 second }"
        const yaml = `units:\n  burner: { placement: ${placement}, scaling: ${scaling} }\n`
        const cwd = yield* Binary.folder({ "chorale.yaml": yaml })
        const server = yield* Binary.serve(burning, { cwd })
        const burn = Effect.map(
          Effect.orDie(Binary.call(server.url, "burning/Burner/burn", { millis: 200 })),
          ({ status }) => status
        )
        const { outcomes, stop } = yield* Traffic.load(1, burn)
        yield* server.line("burner goes from 1 to 2 replicas")
        yield* stop
        yield* server.line("burner goes from 2 to 1 replicas")
        assert.deepStrictEqual(Object.keys(counts(outcomes)), ["200"])
        assert.notInclude(server.stdout(), "does not scale by cpu")
      }),
    60_000
  )

  it.live("says that it does not scale by cpu where Node does not measure that of threads", () =>
    Effect.gen(function*() {
      const yaml = "units:\n  burner: { placement: threads, scaling: { max_replicas: 2, target: { cpu: 50 } } }\n"
      const cwd = yield* Binary.folder({
        "chorale.yaml": yaml,
        "older.mjs": "import { Worker } from \"node:worker_threads\"; delete Worker.prototype.cpuUsage"
      })
      const env = { NODE_OPTIONS: `--import=${cwd}/older.mjs` }
      const server = yield* Binary.serve(burning, { cwd, env })
      yield* server.line("burner does not scale by cpu: Node ")
    }))

  it.live(
    "says why a process does not come back that ends again and again, and has it back when it is restarted",
    () =>
      Effect.gen(function*() {
        const cwd = yield* Binary.folder({
          "chorale.yaml": "units:\n  greeter: { replicas: 1, placement: processes }\n"
        })
        const env = { BROKEN_FILE: `${cwd}/broken` }
        const server = yield* Binary.serve(hello, { cwd, env })
        yield* Effect.promise(() => Fs.writeFile(env.BROKEN_FILE, ""))
        for (const pid of Binary.descendants(server.pid)) process.kill(pid, "SIGKILL")
        const says = yield* server.line("A replica has ended too often and will not be built again: ")
        assert.include(says, "the greeter is broken")
        assert.include(says, "unit=greeter")
        const refused = yield* Binary.call(server.url, "hello/Hello/hello", { name: "world" })
        assert.strictEqual(refused.status, 503)
        assert.include(JSON.stringify(refused.body), "the greeter is broken")
        const { body, status } = yield* Effect.promise(async () => {
          const response = await fetch(`${server.url}/readyz`)
          return { status: response.status, body: await response.text() }
        })
        assert.strictEqual(status, 503)
        assert.include(body, "none of its replicas is ready: failed")
        yield* Effect.promise(() => Fs.rm(env.BROKEN_FILE))
        server.kill("SIGUSR2")
        yield* server.line("greeter has been restarted")
        assert.strictEqual((yield* Binary.call(server.url, "hello/Hello/hello", { name: "world" })).status, 200)
      }),
    90_000
  )

  it.live.each(["local", "processes"])(
    "starts units after those that they call, and stops them before, %s",
    (placement) =>
      Effect.gen(function*() {
        const server = yield* Binary.serve([...ordered, "--placement", placement])
        server.kill("SIGTERM")
        const { code, stdout } = yield* server.ended
        assert.strictEqual(code, 0)
        const said = Array.from(stdout.matchAll(/\w+ (?:starts|stops)(?=\.)/g), ([text]) => text)
        assert.deepStrictEqual(said, [
          "store starts",
          "reader starts",
          "ocr starts",
          "ocr stops",
          "reader stops",
          "store stops"
        ])
      })
  )

  it.live("is not ended by a signal that it gets while it starts", () =>
    Effect.gen(function*() {
      const args = ["serve", ...hello, "--placement", "processes", "--port", "0", "--start-timeout", "30"]
      const server = yield* Binary.start(args)
      yield* until(() => Binary.descendants(server.pid).length > 0)
      server.kill("SIGHUP")
      yield* server.line("ready: http")
      yield* server.line("nothing has changed")
    }))

  it.live("leaves no process behind when it is killed", () =>
    Effect.gen(function*() {
      const server = yield* Binary.serve([...hello, "--placement", "processes"])
      const before = Binary.descendants(server.pid)
      assert.strictEqual(before.length, 3)
      yield* Traffic.load(5, Traffic.greet(server.url, 1000))
      server.kill("SIGKILL")
      yield* until(() => !before.some(isAlive))
    }))

  it.live("leaves no process and no socket behind when it is told to stop", () =>
    Effect.gen(function*() {
      const temporary = yield* Binary.folder()
      const env = { TMPDIR: temporary }
      const server = yield* Binary.serve([...hello, "--placement", "processes"], { env })
      const before = Binary.descendants(server.pid)
      server.kill("SIGTERM")
      assert.strictEqual((yield* server.ended).code, 0)
      yield* until(() => !before.some(isAlive))
      const left = yield* Binary.filesIn(temporary)
      assert.deepStrictEqual(left.filter((name) => name.startsWith("chorale-")), [])
    }))
})
