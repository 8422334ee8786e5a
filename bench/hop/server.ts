/** What the servers that are compared tell of themselves. */
import type { Socket } from "chorale/node"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"

export type HopServer = {
  /** A unix socket and a port on which it listens; where `traced`, it makes spans. */
  readonly addresses: (
    payload: { readonly traced: boolean }
  ) => Promise<{ readonly unix: Socket.Address; readonly tcp: Socket.Address }>
  /** The CPU time that it has used, in microseconds. */
  readonly cpu: (payload: undefined) => Promise<number>
}

/** The CPU time that this process has used, in microseconds. */
export const cpuMicros = (): number => {
  const { system, user } = process.cpuUsage()
  return system + user
}

/** A path for a unix socket that is removed with this process. */
export const socketPath = (): string => {
  const directory = Fs.mkdtempSync(Path.join(Os.tmpdir(), "chorale-bench-"))
  process.on("exit", () => Fs.rmSync(directory, { recursive: true, force: true }))
  return Path.join(directory, "s")
}
