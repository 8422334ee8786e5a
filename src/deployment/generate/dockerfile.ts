/** The image in which every unit of a deployment runs. */
import type { DeploymentDescription } from "../Description.ts"
import { defaultCommand, defaultPort, type File } from "./file.ts"
import { healthCommand } from "./health.ts"

/**
 * What goes into the image. Everything has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface DockerfileOptions {
  /** Folders and files of the program: `src`, and what of `package.json`, `chorale.yaml` and `*.ts` is there. */
  readonly sources?: ReadonlyArray<string> | undefined
  /** Folders with the files of models, which change less often than the program: `models`. */
  readonly models?: ReadonlyArray<string> | undefined
  /** The port on which units listen: 3000. */
  readonly port?: number | undefined
  /** What starts a unit: `node node_modules/.bin/chorale serve`. */
  readonly command?: ReadonlyArray<string> | undefined
}

/**
 * Makes a `Dockerfile` and a `.dockerignore`: one image, in which each container runs the unit that it is told to, and
 * without being told all of the deployment.
 *
 * The image is based on Debian: the binaries of ONNX Runtime need its C library. Those for other platforms are removed,
 * which are three quarters of it. Models are a layer of their own, so that a change of the program does not copy them.
 * It runs as the user `node`, and Node is the process that gets the signals.
 *
 * **Gotchas**
 *
 * ONNX Runtime is there for the CPU: `ONNXRUNTIME_NODE_INSTALL=skip` keeps it from fetching CUDA. Docker asks whether a
 * container is healthy at the port that is given here, whatever `--port` says.
 *
 * @category converting
 * @since 0.2.0
 */
export const dockerfile = (
  description: DeploymentDescription,
  options: DockerfileOptions = {}
): ReadonlyArray<File> => [
  { path: "Dockerfile", content: content(description, options) },
  { path: ".dockerignore", content: ignored }
]

const content = ({ name }: DeploymentDescription, options: DockerfileOptions): string => {
  const { command = defaultCommand, models = ["models"], port = defaultPort, sources = ["src"] } = options
  return `# The units of ${name}: docker build --tag ${name} .

FROM node:24-bookworm-slim AS dependencies
WORKDIR /app
# Neither CUDA nor anything else is fetched by an install script.
ENV ONNXRUNTIME_NODE_INSTALL=skip
COPY package.json package-lock.json ./
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev
# ONNX Runtime comes with its binaries for every platform, of which one is needed.
${removal}

FROM node:24-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
${
    models.length === 0
      ? ""
      : `# Edit: where the files of the models are; a layer of their own.\n${models.map(copy).join("\n")}\n`
  }# Edit: what the program is made of.
COPY package.json chorale.yaml* *.ts ./
${sources.map(copy).join("\n")}
USER node
EXPOSE ${port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=600s --start-interval=1s --retries=3 \\
  CMD ${exec(healthCommand(port))}
# All units in one process; with --unit NAME behind it, one of them.
CMD ${exec([...command, "--host", "0.0.0.0", "--port", String(port)])}
`
}

const removal = [
  "RUN for folder in $(find node_modules -type d -path '*/onnxruntime-node/bin/napi-v*/*/*' -prune); do \\",
  "    case \"$folder\" in */linux/\"$(node --print process.arch)\") ;; *) rm -r \"$folder\" ;; esac; \\",
  "  done"
].join("\n")

const copy = (path: string): string => `COPY ${exec([path, `./${path}`])}`

const exec = (words: ReadonlyArray<string>): string => `[${words.map((word) => JSON.stringify(word)).join(", ")}]`

const ignored = `# What the image does not need, and what nobody else is to have.
.*
**/.env*
**/*.key
**/*.pem
**/node_modules
**/*.log
coverage
dist
kserve
kubernetes
test
Dockerfile
compose.yaml
`
