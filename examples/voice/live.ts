/** The services of the pipeline on this machine. */
import { Resources } from "chorale"
import { Machine } from "chorale/node"
import { Layer } from "effect"
import { VoiceDetectorLive } from "./detector.ts"
import { ListenerLive } from "./listener.ts"
import { PitchEstimatorLive } from "./pitch.ts"

export const Live = ListenerLive.pipe(
  Layer.provide([VoiceDetectorLive, PitchEstimatorLive]),
  Layer.provide(Resources.layer([VoiceDetectorLive, PitchEstimatorLive])),
  Layer.provide(Machine.layer)
)
