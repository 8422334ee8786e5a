/** Calls whose items are records of tensors, as a session takes them: stacked for a run, and cut up after it. */
import { type Array, Effect } from "effect"
import { InvalidPayload } from "../../ServiceError.ts"
import * as Tensor from "../../Tensor.ts"
import type { Success } from "./failed.ts"
import { join, NotStackable, type Stacked, unstack } from "./stack.ts"

export type Tensors = Readonly<Record<string, Tensor.Tensor>>

interface Options<Feeds, Outputs, E, R> {
  readonly run: (feeds: Feeds) => Effect.Effect<Outputs, E, R>
  readonly maxSize?: number
  readonly pad?: Readonly<Record<string, number | bigint | undefined>>
  readonly trim?: Readonly<Record<string, string | undefined>>
  readonly free?: boolean
}

/** A record while it is put together. */
type Mutable = Record<string, Tensor.Tensor>

/** What went into a run and what came out of it. */
interface Ran<Feeds, Outputs> {
  readonly feeds: Feeds
  readonly outputs: Outputs
}

/** The rows of the first axis, which all tensors of a record share. */
const rowsOf = (record: Tensors): number => {
  for (const name in record) return record[name]?.shape[0] ?? 0
  return 0
}

/** Refuses a record whose tensors do not have the same number of rows. */
export const check = (feeds: Tensors): InvalidPayload | undefined => {
  const rows = rowsOf(feeds)
  for (const name in feeds) {
    const tensor = feeds[name]
    if (tensor === undefined || tensor.shape[0] === rows) continue
    const issue = `${name} is ${Tensor.describe(tensor.dtype, tensor.shape)}, which has not the ${rows} rows of the ` +
      "other inputs"
    return new InvalidPayload({ issue })
  }
  return undefined
}

/** What `Batch.make` needs for that. */
export const toBatch = <Feeds extends Tensors, Outputs extends Tensors, E, R>(
  { free = false, maxSize = 32, pad = {}, run, trim = {} }: Options<Feeds, Outputs, E, R>
) => {
  const columns = (records: ReadonlyArray<Tensors>, padding: typeof pad) => {
    const stacked: Record<string, Stacked<Tensor.Dtype, ReadonlyArray<number>>> = {}
    for (const name of Object.keys(records[0] ?? {})) {
      const tensors = records.flatMap((record) => record[name] ?? [])
      const column = join(tensors, 0, padding[name])
      if (column instanceof NotStackable) throw new RangeError(`${name}: ${column.message}`)
      stacked[name] = column
    }
    return stacked
  }
  /** All records as one of the same names, dtypes and ranks. */
  const joinRecords = <Record extends Tensors>(records: Array.NonEmptyReadonlyArray<Record>, padding: typeof pad) =>
    records.length === 1
      ? records[0]
      // It has a tensor for each of the record, made of the same dtype and rank.
      : mapValues(columns(records, padding), ({ tensor }) => tensor) as Tensors as Record

  const cut = <Record extends Tensors>(
    record: Record,
    sizes: ReadonlyArray<number>,
    trimTo: (name: string) => ReadonlyArray<number> | undefined = () => undefined
  ): ReadonlyArray<Record> => {
    const rows = sizes.reduce((sum, size) => sum + size, 0)
    const parts = sizes.map((): Mutable => ({}))
    for (const name in record) {
      const tensor = record[name]!
      if (tensor.shape[0] !== rows) {
        const came = Tensor.describe(tensor.dtype, tensor.shape)
        throw new RangeError(`${name} came back as ${came}, which has not a row for each that went in`)
      }
      const lengths = trimTo(name)
      const column = unstack(tensor, sizes, lengths === undefined ? {} : { trim: { axis: 1, lengths } })
      for (let index = 0; index < parts.length; index++) parts[index]![name] = column[index]!
    }
    // Each has a tensor for each of the record, cut from it.
    return parts as ReadonlyArray<Tensors> as ReadonlyArray<Record>
  }

  return {
    run: (items: Array.NonEmptyReadonlyArray<Feeds>): Effect.Effect<Ran<Feeds, Outputs>, E, R> => {
      const feeds = joinRecords(items, pad)
      return Effect.map(run(feeds), (outputs) => ({ feeds, outputs }))
    },
    finish: (
      { feeds, outputs }: Ran<Feeds, Outputs>,
      items: Array.NonEmptyReadonlyArray<Feeds>
    ): ReadonlyArray<Outputs> => {
      if (items.length === 1) return [outputs]
      const results = cut(outputs, items.map(rowsOf), (output) => {
        const input = trim[output]
        return input === undefined ? undefined : items.map((feeds) => feeds[input]?.shape[1] ?? 0)
      })
      if (free) { for (const tensor of [...Object.values(feeds), ...Object.values(outputs)]) Tensor.free(tensor) }
      return results
    },
    maxSize,
    maxCost: maxSize,
    cost: rowsOf,
    /** Dtypes and sizes must agree, but for the rows and what may be padded. */
    group: (feeds: Feeds): string => {
      let shapes = ""
      for (const name in feeds) shapes += describe(name, feeds[name], pad[name] !== undefined)
      return shapes
    },
    oversized: {
      split: (feeds: Feeds, most: number): ReadonlyArray<Feeds> => {
        const rows = rowsOf(feeds)
        const sizes = globalThis.Array.from(
          { length: Math.ceil(rows / most) },
          (_, index) => Math.min(most, rows - index * most)
        )
        return cut(feeds, sizes)
      },
      join: (results: Array.NonEmptyReadonlyArray<Success<Outputs>>): Success<Outputs> => joinRecords(results, {})
    }
  }
}

const describe = (name: string, tensor: Tensor.Tensor | undefined, padded: boolean): string => {
  if (tensor === undefined) return name
  const { dtype, shape } = tensor
  let text = `${name}:${dtype}:${shape.length}`
  if (!padded) { for (let axis = 1; axis < shape.length; axis++) text += `,${shape[axis]}` }
  return text
}

const mapValues = <A, B>(
  record: Readonly<Record<string, A>>,
  f: (value: A, name: string) => B
): Readonly<Record<string, B>> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value, name)]))
