/** Runs the one benchmark that it is asked for. */
import { Effect } from "effect"
import type { Measured, Options } from "./benchmark.ts"
import { benchmarks } from "./benchmarks.ts"
import { answer } from "./child.ts"

export type Isolated = {
  readonly run: (payload: Options & { readonly name: string }) => Promise<Measured>
}

answer<Isolated>({
  run: ({ name, ...options }) =>
    Effect.runPromise(Effect.scoped(benchmarks.find((benchmark) => benchmark.name === name)!.run(options)))
})
