# The daemon's image: one static binary and its YAML on an empty base. Compiled here, in a Go image; `make up` compiles with the host's Go
# and takes Dockerfile.prebuilt, which pulls nothing.
ARG GO_IMAGE=golang:1.26
FROM ${GO_IMAGE} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /fastpyrepl ./cmd/fastpyrepl

# It runs as root because the engine's socket belongs to root and a group whose number differs from host to host. That root has no
# capability (docker-compose.yml), a read-only file system and nothing in it but the binary. Whoever holds the socket is root on the host
# all the same: no user id in here would change that.
FROM scratch
COPY configs/fastpyrepl.yaml /etc/fastpyrepl/fastpyrepl.yaml
COPY --from=build /fastpyrepl /fastpyrepl
ENV FASTPYREPL_STATE_DIR=/var/lib/fastpyrepl
EXPOSE 8000
ENTRYPOINT ["/fastpyrepl"]
