/** What `chorale serve` costs: the time until it is ready, and the memory of replicas in processes. */
import { Effect } from "effect"
import { type Benchmark, format, interleave, inTurns, millisOf, ratioAtMost } from "./benchmark.ts"
import { build, childrenOf, freePort, memoryOf, start, untilReady } from "./serve/built.ts"

const serve = (
  deployment: string,
  port: number
) => ["dist/cli/main.js", "serve", "--deployment", deployment, "--port", String(port)]

export const serveStartup: Benchmark = {
  name: "serve/startup",
  measures: "the start of chorale serve with two units until it is ready, over that of a server of Effect by hand",
  unit: "ms",
  target: ratioAtMost(1.5),
  run: Effect.fnUntraced(function*() {
    const path = yield* build
    const untilAnswer = (args: (port: number) => ReadonlyArray<string>) =>
      Effect.scoped(Effect.gen(function*() {
        const port = yield* freePort
        return yield* millisOf(Effect.andThen(start(path, args(port)), untilReady(port)))
      }))
    const { bare, ours } = yield* interleave({
      ours: untilAnswer((port) => serve("hello.ts", port)),
      bare: untilAnswer((port) => ["bare.ts", String(port)])
    }, { rounds: 15, warmup: 2 })
    return inTurns(ours, bare, ["the second start and later: Node keeps what it compiled"])
  })
}

const replicas = 8

export const serveMemory: Benchmark = {
  name: "serve/memory",
  measures: "the memory of 8 replicas of a unit in processes, over that of 8 processes of Node that do nothing",
  unit: "MB",
  target: ratioAtMost(1.5),
  run: Effect.fnUntraced(function*() {
    const path = yield* build
    const shared = { ours: 0, bare: 0 }
    const sum = (side: keyof typeof shared, pids: ReadonlyArray<number>) => {
      shared[side] = pids.reduce((sum, pid) => sum + memoryOf(pid, "Pss"), 0)
      return pids.reduce((sum, pid) => sum + memoryOf(pid, "Rss"), 0)
    }
    const ours = Effect.scoped(Effect.gen(function*() {
      const port = yield* freePort
      const { pid = 0 } = yield* start(path, serve("eight.ts", port))
      yield* untilReady(port)
      return sum("ours", childrenOf(pid))
    }))
    const idle = ["--eval", "setInterval(() => {}, 1000)"]
    const bare = Effect.scoped(Effect.gen(function*() {
      const children = yield* Effect.forEach(Array.from({ length: replicas }), () => start(path, idle))
      yield* Effect.sleep("1 second")
      return sum("bare", children.map(({ pid = 0 }) => pid))
    }))
    const taken = yield* interleave({ ours, bare }, { rounds: 3, warmup: 0 })
    const note = `with what processes share counted once: ${format(shared.ours)} MB over ${format(shared.bare)} MB`
    return inTurns(taken.ours, taken.bare, [note])
  })
}
