package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/doctor"
	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/redis"
)

// examinationSetting is under what the store keeps the last examination, for every
// replica to show.
const examinationSetting = "examination"

// examinationEnd is when an examination that has not ended is taken for given up:
// its replica was stopped meanwhile.
const examinationEnd = doctor.TotalTime + 30*time.Second

// Lag implements gateway.Admin.
func (a admin) Lag(step time.Duration) []gateway.LagPoint { return a.service.lags.Points(step) }

// Examination implements gateway.Admin.
func (a admin) Examination(ctx context.Context) (gateway.Examination, error) {
	var found gateway.Examination
	text, err := a.service.store.Setting(ctx, examinationSetting)
	if errors.Is(err, redis.ErrNotFound) {
		return found, nil
	}
	if err != nil {
		return found, err
	}
	if err := json.Unmarshal(text, &found); err != nil {
		return found, fmt.Errorf("reading the last examination: %w", err)
	}
	if found.Ended.IsZero() && a.service.config.Now().Sub(found.Began) > examinationEnd {
		found.Ended = found.Began.Add(examinationEnd)
	}
	return found, nil
}

// forgetExamination forgets what the last one found, but not that one is under way.
func (a admin) forgetExamination(ctx context.Context) error {
	last, err := a.Examination(ctx)
	if err != nil || last.Ended.IsZero() {
		return err
	}
	return a.service.keepExamination(ctx, gateway.Examination{Rows: []gateway.Finding{}})
}

// Examine implements gateway.Admin.
func (a admin) Examine(ctx context.Context) error {
	s := a.service
	if s.running.Err() != nil {
		return refuse(http.StatusServiceUnavailable, "the gateway is about to stop; try again once it has started anew")
	}
	busy := refuse(http.StatusConflict, "the gateway is being examined already; wait until that is done")
	if !s.examining.TryLock() {
		return busy
	}
	last, err := a.Examination(ctx)
	switch {
	case err != nil:
	case !last.Began.IsZero() && last.Ended.IsZero():
		err = busy
	default:
		err = s.keepExamination(ctx, gateway.Examination{Began: s.config.Now().UTC(), Rows: []gateway.Finding{}})
	}
	if err != nil {
		s.examining.Unlock()
		return err
	}
	s.background.Go(func() {
		defer s.examining.Unlock()
		s.examine(s.running)
	})
	return nil
}

// examine makes the checks of the doctor with the settings as they are now.
func (s *Service) examine(ctx context.Context) {
	settings, now := s.config.Settings, s.console.current()
	settings.MicrosoftClientID = s.outlook.ClientID()
	if now.ClientSecret != nil {
		settings.MicrosoftClientSecret = gateway.Secret(*now.ClientSecret)
	}
	settings.MicrosoftClientSecretExpires = s.expiry.end()
	began := s.config.Now().UTC()
	keep := func(progress doctor.Progress, ended bool) {
		found := gateway.Examination{Began: began, Done: progress.Done, Total: progress.Total, Rows: []gateway.Finding{}}
		if ended {
			found.Ended = s.config.Now().UTC()
		}
		for _, row := range progress.Rows {
			found.Rows = append(found.Rows, gateway.Finding{Check: row.Check, Status: string(row.Status), Detail: row.Detail, Remedy: row.Remedy, Found: row.Found, Advice: row.Advice})
		}
		if err := s.keepExamination(ctx, found); err != nil && ctx.Err() == nil {
			s.config.Log.Warn("what an examination found could not be kept", zap.Error(err))
		}
	}
	parts := 0
	rows := doctor.Run(ctx, doctor.Config{
		Settings: &settings, Transport: s.config.Transport, RedisServer: s.config.RedisServer, Now: s.config.Now,
		Told: func(progress doctor.Progress) { parts = progress.Total; keep(progress, false) },
	})
	keep(doctor.Progress{Done: parts, Total: parts, Rows: rows}, true)
}

func (s *Service) keepExamination(ctx context.Context, found gateway.Examination) error {
	text, err := json.Marshal(found)
	if err != nil {
		return fmt.Errorf("keeping an examination: %w", err)
	}
	return s.store.SaveSetting(ctx, examinationSetting, text)
}
