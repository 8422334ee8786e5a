/** The floor of a socket: messages that begin with their length, and nothing else. */

/** Takes the chunks of a socket and gives each whole message as the parts in which it came, length first. */
export const reader = (onMessage: (parts: ReadonlyArray<Buffer>) => void) => {
  let parts: Array<Buffer> = []
  let missing: number | undefined
  let cut: Buffer | undefined
  return (chunk: Buffer): void => {
    let rest = cut === undefined ? chunk : Buffer.concat([cut, chunk])
    cut = undefined
    while (rest.byteLength > 0) {
      if (missing === undefined && rest.byteLength < lengthField) {
        cut = rest
        return
      }
      missing ??= lengthField + rest.readUInt32LE(0)
      const part = rest.subarray(0, missing)
      parts.push(part)
      missing -= part.byteLength
      rest = rest.subarray(part.byteLength)
      if (missing > 0) continue
      const whole = parts
      parts = []
      missing = undefined
      onMessage(whole)
    }
  }
}

export const lengthField = 4

/** Writes what is given in one system call where it can. */
export const write = (
  socket: { cork(): void; write(part: Uint8Array): unknown; uncork(): void },
  parts: ReadonlyArray<Uint8Array>
): void => {
  if (parts.length === 1) {
    socket.write(parts[0]!)
    return
  }
  socket.cork()
  for (const part of parts) socket.write(part)
  socket.uncork()
}
