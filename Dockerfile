# The image holds one static binary, certificates and nothing else, and runs as nobody.
# Where registries are reachable, build with
#   docker build --build-arg BUILD=golang:1.26 --build-arg BASE=gcr.io/distroless/static:nonroot .
# Without one, build the binary first (CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o bin/cohortline ./cmd/cohortline)
# and use --target prebuilt: it needs no base image.
ARG BUILD=golang:1.26
ARG BASE=scratch

FROM scratch AS prebuilt
COPY bin/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY bin/cohortline /cohortline
USER 65532:65532
ENTRYPOINT ["/cohortline"]

FROM ${BUILD} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /cohortline ./cmd/cohortline

FROM ${BASE} AS final
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /cohortline /cohortline
USER 65532:65532
ENTRYPOINT ["/cohortline"]
