/** The service in a thread, as a user would write its module. */
import { Worker } from "chorale/node"
import { Effect, Layer, References } from "effect"
import { Echo } from "../remote/contracts.ts"

const EchoLive = Echo.toLayer({
  json: (record) => Effect.succeed(record),
  tensor: ({ tensor }) => Effect.succeed(tensor)
})

Worker.run([Echo], Layer.provide(EchoLive, Layer.succeed(References.TracerEnabled, false)))
