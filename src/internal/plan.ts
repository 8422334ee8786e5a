/**
 * Fits the requests of services into one machine.
 *
 * Every service first gets its least number of replicas; then services that
 * may have more take turns, one replica each, while the machine has room.
 */
import { ByteSize } from "effect"

/** What a machine has: cores, bytes of memory, and GPUs. */
export interface Inventory {
  readonly cpu: number
  readonly memory: number
  readonly gpus: ReadonlyArray<{ readonly index: number; readonly name: string }>
}

/** The least that a service asks for. */
export interface Demand {
  readonly service: string
  readonly replicas: number
  readonly cpu: number
  readonly memory: number
  readonly gpu: number
  readonly gpuType?: string
}

/** What one replica of a service needs, and how many replicas it wants. */
export interface Ask {
  readonly service: string
  readonly cpu: number
  readonly memory: number
  readonly gpu: number
  readonly gpuType: string | undefined
  readonly least: number
  readonly most: number
}

/** What a service was given: for each replica its `cpu` and `memory`, and GPUs of its own. */
export interface Share {
  readonly service: string
  readonly replicas: number
  readonly cpu: number
  readonly memory: number
  readonly gpu: number
  readonly gpuType: string | undefined
  readonly gpus: ReadonlyArray<ReadonlyArray<number>>
}

export type Plan =
  | { readonly _tag: "Fits"; readonly shares: ReadonlyArray<Share> }
  | { readonly _tag: "Short"; readonly demands: ReadonlyArray<Demand>; readonly short: ReadonlyArray<string> }

interface Room {
  cpu: number
  memory: number
  gpus: ReadonlyArray<Inventory["gpus"][number]>
}

/** Plans `asks` on what `held` leaves of the machine. */
export const make = (asks: ReadonlyArray<Ask>, held: ReadonlyArray<Share>, inventory: Inventory): Plan => {
  const room = remaining(inventory, held)
  const replicas = new Map<Ask, Array<ReadonlyArray<number>>>(asks.map((ask) => [ask, []]))
  const short = new Set<string>()
  const grant = (ask: Ask): boolean => {
    const lacking = lackingFor(ask, room)
    if (lacking.length > 0) {
      for (const what of lacking) short.add(what)
      return false
    }
    replicas.get(ask)!.push(take(ask, room))
    return true
  }
  // Services that name a GPU type choose first, so that others do not take the only device that fits them.
  const specificFirst = [
    ...asks.filter((ask) => ask.gpuType !== undefined),
    ...asks.filter((ask) => ask.gpuType === undefined)
  ]
  for (const ask of specificFirst) {
    for (let replica = 0; replica < ask.least; replica++) grant(ask)
  }
  if (short.size > 0) {
    return { _tag: "Short", demands: [...held, ...asks].map(toDemand), short: Array.from(short) }
  }
  let growing = asks
  while (growing.length > 0) {
    growing = growing.filter((ask) => replicas.get(ask)!.length < ask.most && grant(ask))
  }
  return {
    _tag: "Fits",
    shares: asks.map((ask) => ({ ...ask, replicas: replicas.get(ask)!.length, gpus: replicas.get(ask)! }))
  }
}

/** The demands and the machine as the lines of a table. */
export const table = (demands: ReadonlyArray<Demand>, inventory: Inventory): ReadonlyArray<string> => {
  const total = (amount: (demand: Demand) => number) =>
    demands.reduce((sum, demand) => sum + demand.replicas * amount(demand), 0)
  const rows = [
    ...demands.map((
      demand
    ) => [demand.service, `${demand.replicas} x (${amounts(demand.cpu, demand.memory, demand.gpu)})`]),
    [
      "asked in all",
      amounts(total((demand) => demand.cpu), total((demand) => demand.memory), total((demand) => demand.gpu))
    ],
    ["the machine", amounts(inventory.cpu, inventory.memory, inventory.gpus.length)]
  ] as const
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows.map(([name, text]) => `  ${name.padEnd(width)}  ${text}`)
}

const amounts = (cpu: number, memory: number, gpu: number): string =>
  `cpu ${Number(cpu.toFixed(3))}, memory ${
    ByteSize.format(ByteSize.bytes(Math.ceil(memory)), { system: "binary" })
  }, gpu ${gpu}`

const remaining = (inventory: Inventory, held: ReadonlyArray<Share>): Room => {
  const taken = new Set(held.flatMap((share) => share.gpus.flat()))
  return {
    cpu: inventory.cpu - held.reduce((sum, share) => sum + share.replicas * share.cpu, 0),
    memory: inventory.memory - held.reduce((sum, share) => sum + share.replicas * share.memory, 0),
    gpus: inventory.gpus.filter((gpu) => !taken.has(gpu.index))
  }
}

const fitting = (ask: Ask, room: Room) => room.gpus.filter((gpu) => gpu.name.includes(ask.gpuType ?? ""))

// Shares such as 0.1 do not add up exactly in floating point.
const rounding = 1e-9

const lackingFor = (ask: Ask, room: Room): ReadonlyArray<string> => [
  ...(ask.cpu > room.cpu + rounding ? ["cpu"] : []),
  ...(ask.memory > room.memory ? ["memory"] : []),
  ...(ask.gpu > fitting(ask, room).length ? [ask.gpuType === undefined ? "gpu" : `gpu ${ask.gpuType}`] : [])
]

const take = (ask: Ask, room: Room): ReadonlyArray<number> => {
  const gpus = fitting(ask, room).slice(0, ask.gpu)
  room.cpu -= ask.cpu
  room.memory -= ask.memory
  room.gpus = room.gpus.filter((gpu) => !gpus.includes(gpu))
  return gpus.map((gpu) => gpu.index)
}

const toDemand = (ask: Ask | Share): Demand => ({
  service: ask.service,
  replicas: "least" in ask ? ask.least : ask.replicas,
  cpu: ask.cpu,
  memory: ask.memory,
  gpu: ask.gpu,
  ...(ask.gpuType === undefined ? {} : { gpuType: ask.gpuType })
})
