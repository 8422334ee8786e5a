/** Damage to the bytes of a value. */

/** A copy in which one bit of the first bytes that are found is another; `undefined` where there are none. */
export const flipBit = (value: unknown): unknown => {
  if (ArrayBuffer.isView(value)) return value.byteLength === 0 ? undefined : flipped(value)
  if (!isPlain(value)) return undefined
  for (const [key, field] of Object.entries(value)) {
    const other = flipBit(field)
    if (other === undefined) continue
    return Array.isArray(value) ? value.with(Number(key), other) : { ...value, [key]: other }
  }
  return undefined
}

const flipped = (view: ArrayBufferView): unknown => {
  const bytes = Uint8Array.from(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
  const middle = bytes.byteLength >> 1
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  // Every view but `DataView`, which no contract holds, can be made again over the bytes of another.
  return Reflect.construct(view.constructor, [bytes.buffer])
}

const isPlain = (u: unknown): u is object => {
  if (typeof u !== "object" || u === null) return false
  const prototype: unknown = Object.getPrototypeOf(u)
  return prototype === Object.prototype || prototype === Array.prototype
}
