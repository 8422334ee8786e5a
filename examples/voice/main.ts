/**
 * Listens to audio that it makes itself and says who speaks when: `node --conditions=@chorale/source
 * examples/voice/main.ts`.
 */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect, Stream } from "effect"
import { Listener } from "./contracts.ts"
import { Live } from "./live.ts"
import { recording } from "./recording.ts"

const seconds = (number: number) => `${number.toFixed(2)} s`

const program = Effect.gen(function*() {
  const listener = yield* Listener
  yield* Console.log("In the recording:")
  for (const { end, name, start } of recording.parts) {
    yield* Console.log(`  ${seconds(start)} to ${seconds(end)}  ${name}`)
  }
  yield* Console.log("Heard:")
  yield* Stream.runForEach(
    listener.listen({ audio: recording.pieces(320) }),
    ({ end, pitch, start }) =>
      Console.log(
        `  ${seconds(start)} to ${seconds(end)}  a voice ${
          pitch === null ? "without pitch" : `of ${Math.round(pitch)} Hz`
        }`
      )
  )
})

NodeRuntime.runMain(Effect.provide(program, Live))
