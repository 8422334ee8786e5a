import { holdToLaws } from "./holdToLaws.ts"
import { openInferenceGrpc } from "./remotes.ts"

holdToLaws("a server of the Open Inference Protocol over gRPC", openInferenceGrpc)
