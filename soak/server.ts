/** The service on a unix socket, on a port and over HTTP, in a process of its own. */
import { NodeHttpServer } from "@effect/platform-node"
import { Serve } from "chorale"
import { Socket } from "chorale/node"
import { Context, Layer, ManagedRuntime } from "effect"
import { HttpRouter, HttpServer } from "effect/http"
import * as Fs from "node:fs"
import { createServer } from "node:http"
import * as Os from "node:os"
import * as Path from "node:path"
import { answer } from "../bench/child.ts"
import { Soak, SoakLive } from "./service.ts"

/** Starts to serve in one way; gives where. */
export type Server = {
  readonly unix: (payload: undefined) => Promise<Socket.Address>
  readonly tcp: (payload: undefined) => Promise<Socket.Address>
  readonly http: (payload: undefined) => Promise<string>
}

const onSocket = async (address: Socket.Address) => {
  const runtime = ManagedRuntime.make(Layer.provide(Socket.layerServer([Soak], address), SoakLive))
  return Context.get(await runtime.context(), Socket.Server).address
}

const overHttp = HttpRouter.serve(Serve.http([Soak]), { disableLogger: true, disableListenLog: true }).pipe(
  Layer.provide(SoakLive),
  Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 }))
)

const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-soak-"))
process.on("exit", () => Fs.rmSync(directory, { recursive: true, force: true }))

answer<Server>({
  unix: () => onSocket({ path: Path.join(directory, "s") }),
  tcp: () => onSocket({ port: 0 }),
  http: async () => {
    const context = await ManagedRuntime.make(overHttp).context()
    return HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
  }
})
