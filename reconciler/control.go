package reconciler

// SetPolicy changes who wins conflicts from now on.
func (e *Engine) SetPolicy(policy Policy) { e.chosen.Store(&policy) }

// policy is the one that decides now.
func (e *Engine) policy() Policy {
	if chosen := e.chosen.Load(); chosen != nil {
		return *chosen
	}
	return e.Policy
}

// Stop has everything put off from now on, for everybody, with a reason; an empty
// one ends that. What was put off comes due when its lanes are hurried.
func (e *Engine) Stop(reason string) { e.stopped.Store(&reason) }

// Stopped is why everything is put off, empty when it is not.
func (e *Engine) Stopped() string {
	if reason := e.stopped.Load(); reason != nil {
		return *reason
	}
	return ""
}
