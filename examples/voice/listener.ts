/** The pipeline: the stream of one service feeds the calls of another. */
import { Effect, Stream } from "effect"
import { Listener, PitchEstimator, VoiceDetector } from "./contracts.ts"

export const ListenerLive = Listener.toLayer(Effect.gen(function*() {
  const detector = yield* VoiceDetector
  const estimator = yield* PitchEstimator
  return {
    listen: ({ audio }) =>
      detector.utterances({ audio }).pipe(
        Stream.mapEffect(({ end, samples, start }) =>
          estimator.estimate({ samples }).pipe(
            Effect.catchTag("Unvoiced", () => Effect.succeed(null)),
            Effect.map((pitch) => ({ start, end, pitch }))
          ), { concurrency: 2 })
      )
  }
}))
