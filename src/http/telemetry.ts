/** What a process tells a collector of OpenTelemetry. */
import { Config, ConfigProvider, Effect, Layer, Option } from "effect"
import { FetchHttpClient } from "effect/http"
import { Otlp, OtlpSerialization } from "effect/observability"

const variable = (name: string) => Config.option(Config.String(name))

const endpoint = Config.all([
  variable("OTEL_EXPORTER_OTLP_ENDPOINT"),
  variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
]).pipe(Config.map(([all, traces]) => Option.isSome(all) || Option.isSome(traces)))

/** Who names a collector wants traces, as the specification says; Effect sends nothing that is not asked for by name. */
const defaults = ConfigProvider.fromEnv({ env: { OTEL_TRACES_EXPORTER: "otlp" } })

const serialization = Layer.unwrap(
  variable("OTEL_EXPORTER_OTLP_PROTOCOL").pipe(
    Config.map((protocol) =>
      Option.contains(protocol, "http/json") ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf
    )
  )
)

/** Traces, metrics and logs over OTLP, as the variables of the environment say. */
export const layer: Layer.Layer<never, Config.ConfigError> = Layer.unwrap(
  Effect.gen(function*() {
    const provider = yield* ConfigProvider.ConfigProvider
    const hasEndpoint = yield* endpoint
    const exporters = Otlp.layerFromConfig().pipe(
      Layer.provide(serialization),
      Layer.provide(FetchHttpClient.layer)
    )
    return hasEndpoint
      ? Layer.provide(exporters, ConfigProvider.layer(ConfigProvider.orElse(provider, defaults)))
      : exporters
  })
)
