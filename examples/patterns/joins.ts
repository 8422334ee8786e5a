/**
 * What a step waits for when several models feed it.
 *
 * Seldon Core 2: the join of the inputs of a step: `inner` waits for all of them, `outer` takes those that came within
 * `joinWindowMs`, `any` takes the first. The joins are made over Kafka topics; here they are three combinators.
 */
import { Ensemble } from "chorale"
import { Console, Duration, Effect, Exit } from "effect"

/** A model that takes so long. */
const model = (answer: number, takes: Duration.Input) => Effect.delay(Effect.succeed(answer), takes)

const inputs = { near: model(1, "1 millis"), middle: model(2, "20 millis"), far: model(3, "10 seconds") }

const inner = Ensemble.all({ near: inputs.near, middle: inputs.middle })

const window = Duration.millis(500)

const outer = Ensemble.settled({
  near: Effect.timeout(inputs.near, window),
  middle: Effect.timeout(inputs.middle, window),
  far: Effect.timeout(inputs.far, window)
})

const any = Ensemble.first(inputs)

export const program = Effect.gen(function*() {
  const both = yield* inner
  yield* Console.log(`inner: near ${both.near}, middle ${both.middle}`)
  const { far, middle, near } = yield* outer
  const show = (exit: Exit.Exit<number, unknown>) => Exit.isSuccess(exit) ? exit.value : "too late"
  yield* Console.log(`outer: near ${show(near)}, middle ${show(middle)}, far ${show(far)}`)
  yield* Console.log(`any: ${yield* any}`)
})

if (import.meta.main) await Effect.runPromise(program)
