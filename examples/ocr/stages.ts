/** Where the time of one call went, from the spans that every call of a service leaves. */
import { Effect, type Exit, Tracer } from "effect"

/** All the calls of one method: how many, and from the start of the first to the end of the last in milliseconds. */
export interface Stage {
  readonly name: string
  readonly calls: number
  readonly millis: number
}

/** Runs an effect and tells the stages of it, in the order in which they started. */
export const timeStages = <A, E, R>(effect: Effect.Effect<A, E, R>) => {
  const spans = new Map<string, { calls: number; start: bigint; end: bigint }>()
  const tracer = Tracer.make({
    span(options) {
      const span = new Tracer.NativeSpan(options)
      const end = span.end.bind(span)
      span.end = (time: bigint, exit: Exit.Exit<unknown, unknown>) => {
        end(time, exit)
        const stage = spans.get(options.name) ?? { calls: 0, start: options.startTime, end: time }
        spans.set(options.name, { calls: stage.calls + 1, start: min(stage.start, options.startTime), end: time })
      }
      return span
    }
  })
  return Effect.withTracer(effect, tracer).pipe(Effect.map((result) => ({
    result,
    stages: Array.from(spans).sort(([, a], [, b]) => Number(a.start - b.start)).map((
      [name, { calls, end, start }]
    ): Stage => ({
      name,
      calls,
      millis: Number(end - start) / 1e6
    }))
  })))
}

/** The stages in one line. */
export const describeStages = (stages: ReadonlyArray<Stage>): string =>
  stages.map(({ calls, millis, name }) => `${name}${calls === 1 ? "" : ` ×${calls}`} ${Math.round(millis)} ms`).join(
    ", "
  )

const min = (a: bigint, b: bigint): bigint => a < b ? a : b
