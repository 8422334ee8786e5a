/** How a client connects: within a time that is kept to the millisecond, which that of undici is not. */
import type * as Undici from "@effect/platform-node/Undici"
import type * as Tls from "node:tls"

export const make = (
  build: typeof Undici.buildConnector,
  options: { readonly timeout: number; readonly tls: Tls.ConnectionOptions | undefined }
): Undici.buildConnector.connector => {
  // One request at a time on each connection, as HTTP/1.1 has it; and no timer of undici, whose steps are long.
  // What undici says of TLS and what Node says of it differ in whether a field may be undefined.
  const settings = { ...options.tls, allowH2: false, timeout: 0 } as Undici.buildConnector.BuildOptions
  const connect = build(settings)
  return (address, callback) => {
    let given = false
    const give: Undici.buildConnector.Callback = (...result) => {
      if (given) return
      given = true
      clearTimeout(timer)
      callback(...result)
    }
    // A connector returns the socket, which its type leaves out.
    const socket = connect(address, give) as unknown as Tls.TLSSocket
    const timer = setTimeout(
      () => socket.destroy(new Error(`it did not answer within ${options.timeout} ms`)),
      options.timeout
    )
  }
}
