package outlook

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// SelfSigned makes a certificate for the given host names and addresses, signed
// by an authority of its own, and returns that authority's certificate as PEM
// for clients to trust. It is good for one year.
func SelfSigned(hosts ...string) (certificate tls.Certificate, authority []byte, err error) {
	now := time.Now()
	template := func(number int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(number), Subject: pkix.Name{CommonName: name},
			NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(1, 0, 0), BasicConstraintsValid: true,
		}
	}
	signerKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate, nil, fmt.Errorf("making the authority's key: %w", err)
	}
	signer := template(1, "Simulated Outlook authority")
	signer.IsCA, signer.KeyUsage = true, x509.KeyUsageCertSign
	signerDER, err := x509.CreateCertificate(rand.Reader, signer, signer, signerKey.Public(), signerKey)
	if err != nil {
		return certificate, nil, fmt.Errorf("signing the authority: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return certificate, nil, fmt.Errorf("making the server's key: %w", err)
	}
	server := template(2, "Simulated Outlook")
	server.KeyUsage, server.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			server.IPAddresses = append(server.IPAddresses, ip)
		} else {
			server.DNSNames = append(server.DNSNames, host)
		}
	}
	serverDER, err := x509.CreateCertificate(rand.Reader, server, signer, key.Public(), signerKey)
	if err != nil {
		return certificate, nil, fmt.Errorf("signing the server's certificate: %w", err)
	}
	certificate = tls.Certificate{Certificate: [][]byte{serverDER, signerDER}, PrivateKey: key}
	return certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signerDER}), nil
}
