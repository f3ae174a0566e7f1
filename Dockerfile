# A static binary and the certificates it needs to reach Microsoft; no shell, no
# root.
FROM golang:1.26 AS build
WORKDIR /source
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /outlook-gateway . && mkdir /data

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /outlook-gateway /outlook-gateway
COPY --from=build --chown=65532:65532 /data /data
USER 65532:65532
ENV GATEWAY_DATA_DIR=/data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["/outlook-gateway"]
CMD ["serve"]
