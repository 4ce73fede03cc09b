# The daemon's image: one static binary and its YAML on an empty base.
#
# `docker build .` compiles it in a Go image. `make up` compiles it with the host's Go and builds --target prebuilt, which pulls nothing.
#
# It runs as root because the engine's socket belongs to root and a group whose number differs from host to host. That root has no
# capability (docker-compose.yml), a read-only file system and nothing in it but the binary. Whoever holds the socket is root on the host
# all the same: no user id in here would change that.
FROM scratch AS empty
COPY configs/fastpyrepl.yaml /etc/fastpyrepl/fastpyrepl.yaml
# Everything in the state directory is small; sessions' data never gets here.
ENV FASTPYREPL_STATE_DIR=/var/lib/fastpyrepl
EXPOSE 8000
ENTRYPOINT ["/fastpyrepl"]

FROM empty AS prebuilt
COPY bin/fastpyrepl /fastpyrepl

FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /fastpyrepl ./cmd/fastpyrepl

FROM empty
COPY --from=build /fastpyrepl /fastpyrepl
