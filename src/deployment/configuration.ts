/** What `chorale.yaml` may say: a schema, the same for checking and for editors. */
import { type JsonSchema, Schema } from "effect"

const counting = (least: number) => {
  const schema = Schema.Int.check(Schema.isGreaterThanOrEqualTo(least))
  return schema.annotate({ description: `a whole number of at least ${least}` })
}

const positive = Schema.Finite.check(Schema.isGreaterThan(0)).annotate({ description: "a number that is more than 0" })

const durationUnits = ["millis", "seconds", "minutes", "hours", "days"] as const
const sizeUnits = ["B", "KiB", "MiB", "GiB", "TiB", "kB", "MB", "GB", "TB"] as const

const withUnit = (units: string, example: string) =>
  Schema.String.check(Schema.isPattern(new RegExp(`^[0-9]+([.][0-9]+)? ?(${units})$`))).annotate({
    description: `${example}, with its unit`
  })

const duration = withUnit("millis|milli|seconds?|minutes?|hours?|days?", "a time such as 2 seconds or 500 millis")
const size = withUnit(sizeUnits.join("|"), "a size such as 512 MiB or 1.5 GiB")

/** The units of times and of sizes, for somebody who used another. */
export const units: ReadonlyArray<string> = [...durationUnits, ...sizeUnits]

const name = Schema.NonEmptyString.annotate({ description: "a text" })

const Resources = Schema.Struct({
  cpu: Schema.optionalKey(
    Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0)).annotate({ description: "cores, such as 1 or 0.5" })
  ),
  memory: Schema.optionalKey(size),
  gpu: Schema.optionalKey(counting(0)),
  gpu_type: Schema.optionalKey(name)
})

const Traffic = Schema.Struct({
  concurrency: Schema.optionalKey(counting(1)),
  queue: Schema.optionalKey(counting(0)),
  timeout: Schema.optionalKey(duration)
})

const Target = Schema.Struct({
  concurrency: Schema.optionalKey(positive),
  cpu: Schema.optionalKey(positive),
  queue: Schema.optionalKey(positive)
})

const Scaling = Schema.Struct({
  min_replicas: Schema.optionalKey(counting(1)),
  max_replicas: Schema.optionalKey(counting(1)),
  target: Schema.optionalKey(Target),
  scale_up_window: Schema.optionalKey(duration),
  scale_down_window: Schema.optionalKey(duration)
})

const Environment = Schema.Record(
  Schema.String,
  Schema.Union([Schema.String, Schema.Finite, Schema.Boolean, Schema.Null]).annotate({
    description: "a text, a number, true or false, or nothing where the environment has it"
  })
)

const Unit = Schema.Struct({
  replicas: Schema.optionalKey(counting(1)),
  placement: Schema.optionalKey(
    Schema.Literals(["local", "threads", "processes"]).annotate({ description: "local, threads or processes" })
  ),
  resources: Schema.optionalKey(Resources),
  traffic: Schema.optionalKey(Traffic),
  env: Schema.optionalKey(Environment),
  secrets: Schema.optionalKey(Schema.Array(name)),
  url: Schema.optionalKey(
    Schema.NonEmptyString.annotate({ description: "an address such as http://host:port, where the unit runs already" })
  ),
  instance_type: Schema.optionalKey(name),
  image: Schema.optionalKey(name),
  scaling: Schema.optionalKey(Scaling)
})

const Units = Schema.Record(Schema.String, Unit)

const Profile = Schema.Struct({ units: Schema.optionalKey(Units) })

/**
 * The contents of `chorale.yaml`: what differs from the deployment for each unit, and profiles of more differences.
 *
 * @category schemas
 * @since 0.2.0
 */
export const File = Schema.Struct({
  units: Schema.optionalKey(Units),
  profiles: Schema.optionalKey(Schema.Record(Schema.String, Profile))
}).annotate({ title: "chorale.yaml", description: "How the units of a deployment run" })

/** The contents of `chorale.yaml`. */
export type File = typeof File.Type

/**
 * What differs from the deployment for one unit, in the words of `chorale.yaml`.
 *
 * @category models
 * @since 0.2.0
 */
export type UnitConfiguration = typeof Unit.Type

/**
 * What differs from the deployment, by the name of the unit, after a profile was chosen.
 *
 * @category models
 * @since 0.2.0
 */
export interface Configuration {
  readonly units: Readonly<Record<string, UnitConfiguration>>
}

/**
 * The JSON Schema of `chorale.yaml`, by which editors complete and check it.
 *
 * A file names it in its first line: `# yaml-language-server: $schema=./chorale.schema.json`.
 *
 * @category converting
 * @since 0.2.0
 */
export const jsonSchema = (): JsonSchema.JsonSchema => {
  const { definitions, schema } = Schema.toJsonSchemaDocument(File, { onExcessProperty: "error" })
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    ...schema,
    ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions })
  }
}

/** A profile over the base: objects are merged, all else is replaced; the target of scaling is replaced as a whole. */
export const choose = ({ profiles, units = {} }: File, profile: string | undefined): Configuration => {
  const over = profile === undefined ? {} : profiles?.[profile]?.units ?? {}
  const names = new Set([...Object.keys(units), ...Object.keys(over)])
  return { units: Object.fromEntries(Array.from(names, (name) => [name, merge(units[name] ?? {}, over[name] ?? {})])) }
}

const merge = (base: UnitConfiguration, over: UnitConfiguration): UnitConfiguration => ({
  ...base,
  ...over,
  ...mergeKey("resources", base.resources, over.resources),
  ...mergeKey("traffic", base.traffic, over.traffic),
  ...mergeKey("env", base.env, over.env),
  ...mergeKey("scaling", base.scaling, over.scaling)
})

const mergeKey = <Key extends string, A extends object>(
  key: Key,
  base: A | undefined,
  over: A | undefined
): { readonly [K in Key]?: A } => {
  const merged: { [K in Key]?: A } = {}
  return base === undefined && over === undefined ? merged : Object.assign(merged, { [key]: { ...base, ...over } })
}
