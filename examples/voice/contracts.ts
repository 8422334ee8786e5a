/** What the services can do: find voices in audio as it comes, and tell how high a voice is. */
import { Model, Tensor } from "chorale"
import { Schema } from "effect"
import { Rpc } from "effect/rpc"

/** Audio samples from -1 to 1, at 16 kHz, one channel. */
export const Samples = Tensor.schema("float32", ["samples"])

export type Samples = typeof Samples.Type

/** A stretch of audio in which somebody speaks: where it begins and ends, in seconds, and what was said. */
export const Utterance = Schema.Struct({ start: Schema.Finite, end: Schema.Finite, samples: Samples })

export type Utterance = typeof Utterance.Type

/** Silero VAD as a service: audio goes in while utterances come out. */
export class VoiceDetector extends Model.Service<VoiceDetector>()("voice/VoiceDetector", [
  Rpc.make("utterances", { payload: { audio: Model.streamOf(Samples) }, success: Utterance, stream: true })
]) {}

/** Nothing in the samples repeats itself as a voice does. */
export class Unvoiced extends Schema.TaggedError<Unvoiced>()("Unvoiced", {}, { httpApiStatus: 422 }) {}

/** How high a voice is, in hertz. */
export class PitchEstimator extends Model.Service<PitchEstimator>()("voice/PitchEstimator", [
  Rpc.make("estimate", { payload: { samples: Samples }, success: Schema.Finite, error: Unvoiced })
]) {}

/** One utterance and the pitch of its voice in hertz, or null where it has none. */
export const Heard = Schema.Struct({ start: Schema.Finite, end: Schema.Finite, pitch: Schema.NullOr(Schema.Finite) })

/** Who speaks when: the first service feeds the second. */
export class Listener extends Model.Service<Listener>()("voice/Listener", [
  Rpc.make("listen", { payload: { audio: Model.streamOf(Samples) }, success: Heard, stream: true })
]) {}
