/** The service on sockets, as a user would serve it. */
import { Socket } from "chorale/node"
import { Context, Effect, Layer, ManagedRuntime, References } from "effect"
import { answer } from "../child.ts"
import { Echo } from "../remote/contracts.ts"
import { cpuMicros, type HopServer, socketPath } from "./server.ts"

const EchoLive = Echo.toLayer({
  json: (record) => Effect.succeed(record),
  tensor: ({ tensor }) => Effect.succeed(tensor)
})

const listen = async (traced: boolean) => {
  const settings = Layer.succeed(References.TracerEnabled, traced)
  const unix = { path: socketPath() }
  const overUnix = Layer.provide(Socket.layerServer([Echo], unix), [EchoLive, settings])
  const overTcp = Layer.provide(Socket.layerServer([Echo], { port: 0 }), [EchoLive, settings])
  await ManagedRuntime.make(overUnix).context()
  return { unix, tcp: Context.get(await ManagedRuntime.make(overTcp).context(), Socket.Server).address }
}

const traced = await listen(true)
const untraced = await listen(false)

answer<HopServer>({
  addresses: async (options) => options.traced ? traced : untraced,
  cpu: async () => cpuMicros()
})
